"""Attention of several heads, each with a part of the query, the keys and the values."""

import math

from torch import Tensor

from s2s.errors import InputError
from s2s.model.attention import Attention, Memory
from s2s.model.product import Linear
from s2s.model.window import Window

__all__ = ["MultiHeadAttention"]


class MultiHeadAttention(Attention):
    """Look with several heads at once and put together what they see.

    ``head_i = softmax(W_q q · W_k s / sqrt(H / h)) W_v s`` over the i-th part of each map, and the context is
    ``W_o [head_1; …; head_h]`` (Vaswani et al. 2017, section 3.2.2). All heads look within one window. The weights
    that are shown, and remembered where something needs the past, are the mean over heads.

    Args:
        query_size: width of the decoder state, H.
        memory_size: width of the encoder states, D.
        window: which positions may be looked at; None for all of them.
        heads: number of heads, h; it divides H and D.
    """

    def __init__(self, query_size: int, *, memory_size: int, window: Window | None = None, heads: int = 4) -> None:
        super().__init__(query_size, memory_size=memory_size, window=window)
        if heads < 1:
            raise InputError(f"model.attention.heads={heads} is no number of heads; give 1 or more")
        for name, size in (("decoder", query_size), ("encoder", memory_size)):
            if size % heads:
                raise InputError(
                    f"multi-head attention shares {name} states among its heads, got a width of {size} for {heads}; "
                    "set model.attention.heads to a number that divides it"
                )
        self.heads = heads
        self.project_query = Linear(query_size, query_size, bias=False)
        self.project_memory = Linear(memory_size, query_size, bias=False)
        self.project_values = Linear(memory_size, memory_size, bias=False)
        self.project_context = Linear(memory_size, memory_size, bias=False)

    def keys(self, values: Tensor) -> Tensor:
        """Project the encoder states: (B, S, D) -> (B, S, H), all heads side by side."""
        keys: Tensor = self.project_memory(values)
        return keys

    def remember(self, values: Tensor, mask: Tensor) -> Memory:
        """Make the memory of encoder states, the values projected too: (B, S, D), mask (B, S)."""
        return Memory(self.project_values(values), self.keys(values), mask)

    def energy(self, query: Tensor, memory: Memory, attended: Tensor) -> Tensor:
        """(B, Q, H), keys (B, S, H) -> (h, B, Q, S), a score per head."""
        queries, keys = self._split(self.project_query(query)), self._split(memory.keys)
        return queries @ keys.transpose(2, 3) / math.sqrt(self.query_size // self.heads)

    def read(self, weights: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """(h, B, Q, S), values (B, S, D) -> context (B, Q, D), the mean weights (B, Q, S)."""
        context = weights.to(values.dtype) @ self._split(values)
        return self.project_context(context.permute(1, 2, 0, 3).flatten(2)), weights.mean(dim=0)

    @property
    def has_parts(self) -> bool:
        """Its heads."""
        return True

    def parts(self, query: Tensor, memory: Memory, attended: Tensor) -> dict[str, Tensor]:
        """The weights of every head, (N, S) each, and the window."""
        queries, past = self._by_sentence(query, memory, attended)
        heads = self._weights(queries, memory, past)
        named = {f"head {number}": head.flatten(0, 1) for number, head in enumerate(heads, 1)}
        return named | super().parts(query, memory, attended)

    def _split(self, states: Tensor) -> Tensor:
        """Give every head its part: (B, X, W) -> (h, B, X, W / h)."""
        return states.view(*states.shape[:2], self.heads, -1).permute(2, 0, 1, 3)
