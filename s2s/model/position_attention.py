"""Attention that knows where words stand: scores by position, and scores that read where it has looked before."""

from typing import ClassVar

import torch
from torch import Tensor, nn

from s2s.errors import InputError
from s2s.model.attention import AdditiveAttention, Attention, Memory
from s2s.model.product import Linear
from s2s.model.window import Window

__all__ = ["CoverageAttention", "LocationAttention", "LocationSensitiveAttention"]


class LocationAttention(Attention):
    """Score positions by the decoder state alone: ``e = W h``, one row of W for every position.

    Luong, Pham & Manning (2015), eq. 8. As they do, a short sentence uses the top of ``e`` and a long one has its words
    beyond the last row ignored; only where a window holds nothing but such words do these share the weight.

    Args:
        query_size: width of the decoder state, H.
        memory_size: width of the encoder states, D.
        window: which positions may be looked at; None for all of them.
        max_length: number of positions that have a row.
    """

    def __init__(
        self, query_size: int, *, memory_size: int, window: Window | None = None, max_length: int = 100
    ) -> None:
        super().__init__(query_size, memory_size=memory_size, window=window)
        if max_length < 1:
            raise InputError(f"model.attention.max_length={max_length} is no number of positions; give 1 or more")
        self.max_length = max_length
        self.project_query = Linear(query_size, max_length, bias=False)

    def keys(self, values: Tensor) -> Tensor:
        """None are needed: (B, S, D) -> (B, S, 0)."""
        return values.new_zeros((*values.shape[:2], 0))

    def energy(self, query: Tensor, memory: Memory, attended: Tensor) -> Tensor:
        """(B, Q, H) -> (B, Q, S); the lowest finite number beyond ``max_length``."""
        positions = memory.mask.shape[1]
        energy = self.project_query(query)
        return nn.functional.pad(energy, (0, positions), value=torch.finfo(energy.dtype).min)[..., :positions]


class LocationSensitiveAttention(AdditiveAttention):
    """Additive attention that sees the weights of the position before: ``e_j = v · tanh(W q + U k_j + V f_j)``.

    ``f = F * a``, the weights ``a`` of the position before under a convolution along the source, zeros before the first
    position (Chorowski et al. 2015, eq. 8 and 9).

    Args:
        query_size, memory_size, window, hidden_size: as in ``AdditiveAttention``.
        filters: number of filters, rows of F.
        filter_width: number of positions under a filter, odd, so that it has a middle.
    """

    reads_past: ClassVar[bool] = True

    def __init__(
        self,
        query_size: int,
        *,
        memory_size: int,
        window: Window | None = None,
        hidden_size: int | None = None,
        filters: int = 10,
        filter_width: int = 9,
    ) -> None:
        super().__init__(query_size, memory_size=memory_size, window=window, hidden_size=hidden_size)
        if filters < 1:
            raise InputError(f"model.attention.filters={filters} is no number of filters; give 1 or more")
        if filter_width < 1 or filter_width % 2 == 0:
            raise InputError(
                f"model.attention.filter_width={filter_width}: a filter needs a middle; give an odd number, such as 9"
            )
        self.convolve = nn.Conv1d(1, filters, filter_width, padding=filter_width // 2, bias=False)
        self.project_features = Linear(filters, self.hidden_size, bias=False)

    def energy(self, query: Tensor, memory: Memory, attended: Tensor) -> Tensor:
        """(B, Q, H), keys (B, S, A), attended (B, Q, 2, S) -> (B, Q, S)."""
        before = attended[:, :, 0].flatten(0, 1)[:, None].to(self.convolve.weight.dtype)
        features = self.convolve(before).unflatten(0, query.shape[:2]).transpose(2, 3)
        hidden = self.project_query(query)[:, :, None] + memory.keys[:, None] + self.project_features(features)
        return torch.tanh(hidden) @ self.v


class CoverageAttention(AdditiveAttention):
    """Additive attention that sees how much of each word is spent: ``e_j = v · tanh(W q + U k_j + w c_j)``.

    ``c_j`` is the sum of the weights that word j has had so far (See, Liu & Manning 2017, eq. 10 and 11). With a
    fertility it is a share of what the word is good for, the linguistic coverage of Tu et al. (2016):
    ``c_j / Φ_j`` with ``Φ_j = N · sigmoid(u · k_j)``.

    Args:
        query_size, memory_size, window, hidden_size: as in ``AdditiveAttention``.
        fertility: the greatest number of target words for one source word, N; None to count weights as they are.
    """

    reads_past: ClassVar[bool] = True

    def __init__(
        self,
        query_size: int,
        *,
        memory_size: int,
        window: Window | None = None,
        hidden_size: int | None = None,
        fertility: float | None = None,
    ) -> None:
        super().__init__(query_size, memory_size=memory_size, window=window, hidden_size=hidden_size)
        if fertility is not None and not fertility > 0:
            raise InputError(f"model.attention.fertility={fertility} is no number of words; give 1 or more, or null")
        self.fertility = fertility
        self.project_fertility = None if fertility is None else Linear(memory_size, 1, bias=False)
        self.w = nn.Parameter(torch.empty(self.hidden_size).uniform_(-0.01, 0.01))

    def keys(self, values: Tensor) -> Tensor:
        """Project the encoder states: (B, S, D) -> (B, S, A), with a fertility (B, S, A + 1), the last ``1 / Φ``."""
        keys = super().keys(values)
        if self.project_fertility is None or self.fertility is None:
            return keys
        fertility = self.fertility * self.project_fertility(values).sigmoid()
        return torch.cat([keys, fertility.reciprocal()], dim=-1)

    def energy(self, query: Tensor, memory: Memory, attended: Tensor) -> Tensor:
        """(B, Q, H), keys (B, S, A) or (B, S, A + 1), attended (B, Q, 2, S) -> (B, Q, S)."""
        spent = attended[:, :, 1].to(self.w.dtype)
        if self.fertility is not None:
            spent = spent * memory.keys[:, None, :, -1]
        keys = memory.keys[:, None, :, : self.hidden_size]
        hidden = self.project_query(query)[:, :, None] + keys + spent[..., None] * self.w
        return torch.tanh(hidden) @ self.v
