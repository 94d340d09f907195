"""Windows: which positions of the source attention may look at, whatever its score function.

A window is one class: a bias that is added to the energies before the softmax. Positions are counted from 1 to the
length of the sentence, of which EOS is the last.
"""

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor, nn

from s2s.errors import InputError
from s2s.model.product import Linear

__all__ = ["GlobalWindow", "LocalMonotonicWindow", "LocalPredictiveWindow", "Window"]


class Window(nn.Module, ABC):
    """A part of the source, chosen for every query.

    Args:
        query_size: width of the decoder state, H.
    """

    needs_past: ClassVar[bool] = False
    """Whether it reads ``attended``, the weights of the positions before."""

    def __init__(self, query_size: int) -> None:
        super().__init__()
        self.query_size = query_size

    @abstractmethod
    def forward(self, query: Tensor, mask: Tensor, attended: Tensor) -> Tensor | None:
        """Make the bias: query (B, Q, H), mask (B, S), attended (B, Q, P, S) -> (B, Q, S), ``-inf`` outside.

        ``attended`` is what ``Attention.start`` describes, and P is 0 where neither window nor score needs it. At
        least one real token of every sentence is inside. None: all of the source, with nothing to add.
        """


class GlobalWindow(Window):
    """All of the source (Luong, Pham & Manning 2015, section 3.1)."""

    def forward(self, query: Tensor, mask: Tensor, attended: Tensor) -> None:
        """Nothing to add."""


class LocalMonotonicWindow(Window):
    """The D words on either side of the target's own position: ``p_t = t``.

    Luong, Pham & Manning (2015), section 3.2, local-m: the t-th target word looks at the words s with
    ``|s - p_t| <= D`` and at no others; the weights of these are what the score makes of them (eq. 7). A target longer
    than its source goes on looking at the source's end: ``p_t`` is at most the source's length.

    Args:
        query_size: width of the decoder state, H.
        width: number of words on either side, D, 1 or more; ``.inf`` for all of them.
    """

    needs_past: ClassVar[bool] = True

    def __init__(self, query_size: int, *, width: float) -> None:
        super().__init__(query_size)
        self.width = _checked(width)

    def forward(self, query: Tensor, mask: Tensor, attended: Tensor) -> Tensor:
        """0 inside, ``-inf`` outside: (B, Q, S). The weights of one position are one in sum, so their sum counts."""
        written = attended[:, :, 1].sum(dim=-1).round()
        offset = _offsets(torch.minimum(written + 1, mask.sum(dim=-1, keepdim=True)), mask)
        return torch.zeros_like(offset).masked_fill(offset.abs() > self.width, -torch.inf)


class LocalPredictiveWindow(Window):
    """The D words on either side of a position that the decoder state predicts, the nearer the better.

    Luong, Pham & Manning (2015), section 3.2, local-p: ``p_t = S · sigmoid(v · tanh(W h_t))`` (eq. 9), where S is the
    length of this very sentence; the weights of the words s with ``|s - p_t| <= D`` are those of the score times
    ``exp(-(s - p_t)² / 2 sigma²)`` (eq. 10), ``sigma = D / 2``.

    The paper does not normalise this product again, so that its weights are less than one in sum. Here the Gaussian's
    logarithm is added to the energies, before the softmax: the same weights over their sum.

    Args:
        query_size: width of the decoder state, H.
        width: number of words on either side, D, 1 or more; ``.inf`` for all of them and no Gaussian.
    """

    def __init__(self, query_size: int, *, width: float) -> None:
        super().__init__(query_size)
        self.width = _checked(width)
        self.project_query = Linear(query_size, query_size, bias=False)
        self.v = nn.Parameter(torch.empty(query_size).uniform_(-(query_size**-0.5), query_size**-0.5))

    def forward(self, query: Tensor, mask: Tensor, attended: Tensor) -> Tensor:
        """The logarithm of the Gaussian inside, ``-inf`` outside: (B, Q, S)."""
        logit = self.project_query(query).tanh() @ self.v
        share = logit.to(torch.promote_types(logit.dtype, torch.float32)).sigmoid()
        offset = _offsets(share * mask.sum(dim=-1, keepdim=True), mask)
        bias = -offset.square() / (self.width * self.width / 2)
        return bias.masked_fill(offset.abs() > self.width, -torch.inf)


def _checked(width: float) -> float:
    """The width as a number; raise an InputError for one that may leave a window without a word."""
    if not width >= 1:
        raise InputError(
            f"model.window.width={width}: a window narrower than 1 may hold no word; give 1 or more, "
            "or use model/window=global"
        )
    return float(width)


def _offsets(centre: Tensor, mask: Tensor) -> Tensor:
    """Every position less the centre, (B, Q) and mask (B, S) -> (B, Q, S)."""
    positions = torch.arange(1, mask.shape[-1] + 1, dtype=centre.dtype, device=centre.device)
    return positions - centre[..., None]
