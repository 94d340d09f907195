"""Attention: which encoder states a query looks at.

A score function is one class: it makes keys of the encoder states, once per sentence, and an energy of query and keys.
Mask, softmax and weighted sum stand once, in ``Attention.forward``.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from s2s.errors import InputError

__all__ = [
    "AdditiveAttention",
    "Attention",
    "ConcatAttention",
    "DotAttention",
    "GeneralAttention",
    "Memory",
    "ScaledDotAttention",
]


@dataclass(frozen=True)
class Memory:
    """What attention may look at: ``values`` (B, S, D), ``keys`` (B, S, A), ``mask`` (B, S), true on real tokens.

    It holds sentences, not rows: the K rows of a beam and the T positions of a target are queries on one memory.
    """

    values: Tensor
    keys: Tensor
    mask: Tensor

    def select(self, sentences: Tensor) -> "Memory":
        """Keep these sentences alone."""
        return Memory(self.values[sentences], self.keys[sentences], self.mask[sentences])


class Attention(nn.Module, ABC):
    """A score function between decoder states and encoder states.

    Args:
        query_size: width of the decoder state, H.
        memory_size: width of the encoder states, D.
    """

    def __init__(self, query_size: int, *, memory_size: int) -> None:
        super().__init__()
        self.query_size = query_size
        self.memory_size = memory_size

    @abstractmethod
    def keys(self, values: Tensor) -> Tensor:
        """Make keys of the encoder states, once per sentence: (B, S, D) -> (B, S, A)."""

    @abstractmethod
    def energy(self, query: Tensor, keys: Tensor) -> Tensor:
        """Score every query against every key: (B, Q, H), (B, S, A) -> (B, Q, S)."""

    def forward(self, query: Tensor, memory: Memory) -> tuple[Tensor, Tensor]:
        """Look at the memory: queries (N, H) with N = B·Q, a sentence's queries adjacent.

        Returns:
            context (N, D), the sum of the values by weight, and weights (N, S): float32 or wider, one in sum over
            real tokens and exactly zero on padding.
        """
        sentences, positions = memory.mask.shape
        query = query.view(sentences, -1, query.shape[-1])
        energy = self.energy(query, memory.keys)
        energy = energy.to(torch.promote_types(energy.dtype, torch.float32))
        weights = energy.masked_fill(~memory.mask[:, None], -torch.inf).softmax(dim=-1)
        context = weights.to(memory.values.dtype) @ memory.values
        return context.reshape(-1, context.shape[-1]), weights.reshape(-1, positions)


class DotAttention(Attention):
    """Score by the inner product: ``e = h · s`` (Luong, Pham & Manning 2015, eq. 8, dot)."""

    def __init__(self, query_size: int, *, memory_size: int) -> None:
        super().__init__(query_size, memory_size=memory_size)
        if query_size != memory_size:
            raise InputError(
                f"dot attention needs decoder and encoder states of one width, got {query_size} and {memory_size}; "
                "use model/attention=general or set model.encoder_size"
            )

    def keys(self, values: Tensor) -> Tensor:
        """The states themselves."""
        return values

    def energy(self, query: Tensor, keys: Tensor) -> Tensor:
        """(B, Q, H), (B, S, H) -> (B, Q, S)."""
        return query @ keys.transpose(1, 2)


class ScaledDotAttention(DotAttention):
    """Score by the inner product over the root of its width: ``e = h · s / sqrt(H)`` (Vaswani et al. 2017, eq. 1)."""

    def energy(self, query: Tensor, keys: Tensor) -> Tensor:
        """(B, Q, H), (B, S, H) -> (B, Q, S)."""
        return super().energy(query, keys) / math.sqrt(self.query_size)


class GeneralAttention(Attention):
    """Score by a bilinear form: ``e = h · W s`` (Luong, Pham & Manning 2015, eq. 8, general)."""

    def __init__(self, query_size: int, *, memory_size: int) -> None:
        super().__init__(query_size, memory_size=memory_size)
        self.project_memory = nn.Linear(memory_size, query_size, bias=False)

    def keys(self, values: Tensor) -> Tensor:
        """Project the encoder states: (B, S, D) -> (B, S, H)."""
        keys: Tensor = self.project_memory(values)
        return keys

    def energy(self, query: Tensor, keys: Tensor) -> Tensor:
        """(B, Q, H), (B, S, H) -> (B, Q, S)."""
        return query @ keys.transpose(1, 2)


class AdditiveAttention(Attention):
    """Score by a small feed-forward network: ``e = v · tanh(W q + U k)``.

    Bahdanau, Cho & Bengio (2015), appendix A.1.2.

    Args:
        query_size: width of the decoder state, H.
        memory_size: width of the encoder states, D.
        hidden_size: width of the network, A; the decoder's width where it is not given.
    """

    def __init__(self, query_size: int, *, memory_size: int, hidden_size: int | None = None) -> None:
        super().__init__(query_size, memory_size=memory_size)
        width = hidden_size or query_size
        self.project_query = nn.Linear(query_size, width, bias=False)
        self.project_memory = nn.Linear(memory_size, width, bias=False)
        self.v = nn.Parameter(torch.empty(width).uniform_(-(width**-0.5), width**-0.5))

    def keys(self, values: Tensor) -> Tensor:
        """Project the encoder states once per sentence: (B, S, D) -> (B, S, A)."""
        keys: Tensor = self.project_memory(values)
        return keys

    def energy(self, query: Tensor, keys: Tensor) -> Tensor:
        """Score every query against every key: (B, Q, H), (B, S, A) -> (B, Q, S)."""
        hidden: Tensor = self.project_query(query)[:, :, None] + keys[:, None]
        return hidden.tanh() @ self.v


class ConcatAttention(Attention):
    """Score the two states side by side: ``e = v · tanh(W [h; s])`` (Luong, Pham & Manning 2015, eq. 8, concat).

    ``W [h; s]`` is taken as ``W_h h + W_s s``, so that the second term is made once per sentence.
    """

    def __init__(self, query_size: int, *, memory_size: int) -> None:
        super().__init__(query_size, memory_size=memory_size)
        self.project = nn.Linear(query_size + memory_size, query_size, bias=False)
        self.v = nn.Parameter(torch.empty(query_size).uniform_(-(query_size**-0.5), query_size**-0.5))

    def keys(self, values: Tensor) -> Tensor:
        """The memory's share of ``W [h; s]``: (B, S, D) -> (B, S, H)."""
        return nn.functional.linear(values, self.project.weight[:, self.query_size :])

    def energy(self, query: Tensor, keys: Tensor) -> Tensor:
        """(B, Q, H), (B, S, H) -> (B, Q, S)."""
        queries = nn.functional.linear(query, self.project.weight[:, : self.query_size])
        return (queries[:, :, None] + keys[:, None]).tanh() @ self.v
