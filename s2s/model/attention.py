"""Attention: which encoder states a query looks at.

A score function is one class: it makes keys of the encoder states, once per sentence, and an energy of query and keys.
Mask, window, softmax and weighted sum stand once, in ``Attention.forward``. Scores that know positions, or where they
have looked before, are in ``position_attention``; the one of several heads is in ``multihead_attention``.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from s2s.errors import InputError
from s2s.model.product import Linear, linear
from s2s.model.window import GlobalWindow, Window

__all__ = [
    "AdditiveAttention",
    "Attention",
    "ConcatAttention",
    "DotAttention",
    "GeneralAttention",
    "Memory",
    "NoAttention",
    "NormalisedAdditiveAttention",
    "ScaledDotAttention",
]


@dataclass(frozen=True)
class Memory:
    """What attention may look at: ``values`` (B, S, D), ``keys`` (B, S, A), ``mask`` (B, S), true on real tokens.

    It holds sentences, not rows: the K rows of a beam and the T positions of a target are queries on one memory.
    ``visible`` (B, S) is true on the real tokens that somebody leaves in sight; None leaves all of them.
    """

    values: Tensor
    keys: Tensor
    mask: Tensor
    visible: Tensor | None = None

    def select(self, sentences: Tensor) -> "Memory":
        """Keep these sentences alone."""
        values, keys, mask = (part.index_select(0, sentences) for part in (self.values, self.keys, self.mask))
        return Memory(values, keys, mask, None if self.visible is None else self.visible.index_select(0, sentences))


class Attention(nn.Module, ABC):
    """A score function between decoder states and encoder states, within a window.

    Args:
        query_size: width of the decoder state, H.
        memory_size: width of the encoder states, D, and of the context.
        window: which positions may be looked at; None for all of them.
    """

    reads_past: ClassVar[bool] = False
    """Whether this score reads ``attended``, the weights of the positions before."""

    def __init__(self, query_size: int, *, memory_size: int, window: Window | None = None) -> None:
        super().__init__()
        self.query_size = query_size
        self.memory_size = memory_size
        self.context_size = memory_size
        self.window = GlobalWindow(query_size) if window is None else window
        self.needs_past = self.reads_past or self.window.needs_past

    @abstractmethod
    def keys(self, values: Tensor) -> Tensor:
        """Make keys of the encoder states, once per sentence: (B, S, D) -> (B, S, A)."""

    @abstractmethod
    def energy(self, query: Tensor, memory: Memory, attended: Tensor) -> Tensor:
        """Score every query against every position: (B, Q, H), memory, (B, Q, P, S) -> (B, Q, S)."""

    def read(self, weights: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Sum the values by weight: (B, Q, S), (B, S, D) -> context (B, Q, D) and the weights to show, (B, Q, S)."""
        return linear(weights.to(values.dtype), values.transpose(1, 2)), weights

    def remember(self, values: Tensor, mask: Tensor) -> Memory:
        """Make the memory of encoder states: (B, S, D), mask (B, S)."""
        return Memory(values, self.keys(values), mask)

    def start(self, memory: Memory) -> Tensor:
        """What has been attended to before the first position: (B, P, S), zeros.

        Where something needs the past, P is 2: the weights of the position before, and the sum of the weights of all
        positions so far. Otherwise P is 0.
        """
        sentences, positions = memory.mask.shape
        dtype = torch.promote_types(memory.values.dtype, torch.float32)
        return memory.values.new_zeros((sentences, 2 if self.needs_past else 0, positions), dtype=dtype)

    def forward(self, query: Tensor, memory: Memory, attended: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Look at the memory: queries (N, H) with N = B·Q, a sentence's queries adjacent, attended (N, P, S).

        Returns:
            context (N, D), the sum of the values by weight; weights (N, S): float32 or wider, one in sum over real
            tokens and exactly zero on padding and outside the window; attended (N, P, S), for the next position.
        """
        queries, past = self._by_sentence(query, memory, attended)
        context, weights = self.read(self._weights(queries, memory, past), memory.values)
        weights = weights.reshape(-1, weights.shape[-1])
        if self.needs_past:
            attended = torch.stack([weights, attended[:, 1] + weights], dim=1)
        return context.reshape(-1, context.shape[-1]), weights, attended

    @property
    def has_parts(self) -> bool:
        """Whether ``parts`` has anything to name."""
        return not isinstance(self.window, GlobalWindow)

    def parts(self, query: Tensor, memory: Memory, attended: Tensor) -> dict[str, Tensor]:
        """What goes into the weights that ``forward`` shows, by name, (N, S) each; empty where there is nothing more.

        ``window`` is the factor of every position before the weights are made one in sum, 0 outside the window.
        """
        queries, past = self._by_sentence(query, memory, attended)
        bias = self.window(queries, memory.mask, past)
        return {} if bias is None else {"window": bias.exp().masked_fill(~memory.mask[:, None], 0).flatten(0, 1)}

    def _by_sentence(self, query: Tensor, memory: Memory, attended: Tensor) -> tuple[Tensor, Tensor]:
        """Queries (N, H) and attended (N, P, S) -> (B, Q, H) and (B, Q, P, S)."""
        sentences, positions = memory.mask.shape
        queries = query.view(sentences, -1, query.shape[-1])
        return queries, attended.view(sentences, queries.shape[1], attended.shape[1], positions)

    def _weights(self, queries: Tensor, memory: Memory, past: Tensor) -> Tensor:
        """The weights that ``read`` sums by, float32 or wider: (B, Q, H), memory, (B, Q, P, S) -> (…, B, Q, S)."""
        energy = self.energy(queries, memory, past)
        energy = energy.to(torch.promote_types(energy.dtype, torch.float32))
        bias = self.window(queries, memory.mask, past)
        if bias is not None:
            energy = energy + bias
        seen = memory.mask if memory.visible is None else memory.mask & memory.visible
        return energy.masked_fill(~seen[:, None], -torch.inf).softmax(dim=-1)


class NoAttention(Attention):
    """Look at nothing: a context of width 0 and weights of width 0, the control of every comparison."""

    def __init__(self, query_size: int, *, memory_size: int, window: Window | None = None) -> None:
        super().__init__(query_size, memory_size=memory_size, window=window)
        if not isinstance(self.window, GlobalWindow):
            raise InputError(
                f"model/attention=none looks at nothing, got a {type(window).__name__} for it; "
                "use model/window=global or another attention"
            )
        self.context_size = 0

    def remember(self, values: Tensor, mask: Tensor) -> Memory:
        """Values and keys of width 0: (B, S, 0)."""
        return Memory(self.keys(values), self.keys(values), mask)

    def keys(self, values: Tensor) -> Tensor:
        """(B, S, D) -> (B, S, 0)."""
        return values.new_zeros((*values.shape[:2], 0))

    def energy(self, query: Tensor, memory: Memory, attended: Tensor) -> Tensor:
        """(B, Q, H) -> (B, Q, 0)."""
        return query.new_zeros((*query.shape[:2], 0))

    def forward(self, query: Tensor, memory: Memory, attended: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(N, H) -> context (N, 0), weights (N, 0), attended as it came."""
        nothing = query.new_zeros((query.shape[0], 0))
        return nothing, nothing.to(torch.promote_types(query.dtype, torch.float32)), attended


class DotAttention(Attention):
    """Score by the inner product: ``e = h · s`` (Luong, Pham & Manning 2015, section 3.1, dot)."""

    def __init__(self, query_size: int, *, memory_size: int, window: Window | None = None) -> None:
        super().__init__(query_size, memory_size=memory_size, window=window)
        if query_size != memory_size:
            raise InputError(
                f"dot attention needs decoder and encoder states of one width, got {query_size} and {memory_size}; "
                "use model/attention=general or set model.encoder_size"
            )

    def keys(self, values: Tensor) -> Tensor:
        """The states themselves."""
        return values

    def energy(self, query: Tensor, memory: Memory, attended: Tensor) -> Tensor:
        """(B, Q, H), keys (B, S, H) -> (B, Q, S)."""
        return linear(query, memory.keys)


class ScaledDotAttention(DotAttention):
    """Score by the inner product over the root of its width: ``e = h · s / sqrt(H)`` (Vaswani et al. 2017, eq. 1)."""

    def energy(self, query: Tensor, memory: Memory, attended: Tensor) -> Tensor:
        """(B, Q, H), keys (B, S, H) -> (B, Q, S)."""
        return super().energy(query, memory, attended) / math.sqrt(self.query_size)


class GeneralAttention(Attention):
    """Score by a bilinear form: ``e = h · W s`` (Luong, Pham & Manning 2015, section 3.1, general).

    W begins small, so that every position is looked at until something is learnt of where to look.
    """

    def __init__(self, query_size: int, *, memory_size: int, window: Window | None = None) -> None:
        super().__init__(query_size, memory_size=memory_size, window=window)
        self.project_memory = Linear(memory_size, query_size, bias=False)
        nn.init.xavier_uniform_(self.project_memory.weight, gain=0.1)

    def keys(self, values: Tensor) -> Tensor:
        """Project the encoder states: (B, S, D) -> (B, S, H)."""
        keys: Tensor = self.project_memory(values)
        return keys

    def energy(self, query: Tensor, memory: Memory, attended: Tensor) -> Tensor:
        """(B, Q, H), keys (B, S, H) -> (B, Q, S)."""
        return linear(query, memory.keys)


class AdditiveAttention(Attention):
    """Score by a small feed-forward network: ``e = v · tanh(W q + U k)``.

    Bahdanau, Cho & Bengio (2015), appendix A.1.2.

    Args:
        query_size: width of the decoder state, H.
        memory_size: width of the encoder states, D.
        window: which positions may be looked at; None for all of them.
        hidden_size: width of the network, A; the decoder's width where it is not given.
    """

    def __init__(
        self, query_size: int, *, memory_size: int, window: Window | None = None, hidden_size: int | None = None
    ) -> None:
        super().__init__(query_size, memory_size=memory_size, window=window)
        self.hidden_size = query_size if hidden_size is None else hidden_size
        if self.hidden_size < 1:
            raise InputError(f"model.attention.hidden_size={hidden_size} is no width; give 1 or more, or null")
        self.project_query = Linear(query_size, self.hidden_size, bias=False)
        self.project_memory = Linear(memory_size, self.hidden_size, bias=False)
        bound = self.hidden_size**-0.5
        self.v = nn.Parameter(torch.empty(self.hidden_size).uniform_(-bound, bound))

    def keys(self, values: Tensor) -> Tensor:
        """Project the encoder states once per sentence: (B, S, D) -> (B, S, A)."""
        keys: Tensor = self.project_memory(values)
        return keys

    def energy(self, query: Tensor, memory: Memory, attended: Tensor) -> Tensor:
        """Score every query against every key: (B, Q, H), keys (B, S, A) -> (B, Q, S)."""
        hidden: Tensor = self.project_query(query)[:, :, None] + memory.keys[:, None]
        return hidden.tanh() @ self.v


class NormalisedAdditiveAttention(AdditiveAttention):
    """Additive attention whose vector has a length of its own: ``e = g v / |v| · tanh(W q + U k + b)``.

    Weight normalisation (Salimans & Kingma 2016, eq. 2) of Bahdanau's score; g starts at ``1 / sqrt(A)``, b at zero.

    Args:
        query_size, memory_size, window, hidden_size: as in ``AdditiveAttention``.
    """

    def __init__(
        self, query_size: int, *, memory_size: int, window: Window | None = None, hidden_size: int | None = None
    ) -> None:
        super().__init__(query_size, memory_size=memory_size, window=window, hidden_size=hidden_size)
        self.g = nn.Parameter(torch.tensor(self.hidden_size**-0.5))
        self.b = nn.Parameter(torch.zeros(self.hidden_size))

    def energy(self, query: Tensor, memory: Memory, attended: Tensor) -> Tensor:
        """(B, Q, H), keys (B, S, A) -> (B, Q, S)."""
        hidden = (self.project_query(query) + self.b)[:, :, None] + memory.keys[:, None]
        direction: Tensor = self.v / torch.linalg.vector_norm(self.v)
        return torch.tanh(hidden) @ (self.g * direction)


class ConcatAttention(Attention):
    """Score the two states side by side: ``e = v · tanh(W [h; s])``.

    Luong, Pham & Manning (2015), section 3.1, concat. ``W [h; s]`` is taken as ``W_h h + W_s s``, so that the second
    term is made once per sentence.
    """

    def __init__(self, query_size: int, *, memory_size: int, window: Window | None = None) -> None:
        super().__init__(query_size, memory_size=memory_size, window=window)
        self.project = Linear(query_size + memory_size, query_size, bias=False)
        self.v = nn.Parameter(torch.empty(query_size).uniform_(-(query_size**-0.5), query_size**-0.5))

    def keys(self, values: Tensor) -> Tensor:
        """The memory's share of ``W [h; s]``: (B, S, D) -> (B, S, H)."""
        return linear(values, self.project.weight[:, self.query_size :])

    def energy(self, query: Tensor, memory: Memory, attended: Tensor) -> Tensor:
        """(B, Q, H), keys (B, S, H) -> (B, Q, S)."""
        queries = linear(query, self.project.weight[:, : self.query_size])
        return (queries[:, :, None] + memory.keys[:, None]).tanh() @ self.v
