"""What training lowers of attention: looking again at the same place, and looking elsewhere than word links say."""

import torch
from torch import Tensor, nn

__all__ = ["coverage_loss", "guided_alignment_loss"]

LEAST_WEIGHT = 1e-9


def coverage_loss(attention: Tensor, mask: Tensor) -> Tensor:
    """Sum the attention that goes where attention has gone before: ``Σ_t Σ_s min(a_ts, c_ts)``, ``c_t = Σ_{u<t} a_u``.

    See, Liu & Manning (2017), equations 10, 12 and 13.

    Args:
        attention: weights of the source at every target position, (B, T, S).
        mask: real target positions, (B, T).

    Returns:
        the sum over real target positions, differentiable.
    """
    attention = attention.to(torch.promote_types(attention.dtype, torch.float32))
    coverage = nn.functional.pad(attention[:, :-1].cumsum(dim=1), (0, 0, 1, 0))
    return torch.minimum(attention, coverage).sum(dim=2).masked_fill(~mask, 0).sum()


def guided_alignment_loss(attention: Tensor, guide: Tensor) -> Tensor:
    """Sum the cross-entropy of attention against what it should be: ``-Σ_t Σ_s A_ts log a_ts``.

    Chen, Matusov, Khadivi & Peter (2016); Mi, Wang & Ittycheriah (2016).

    Args:
        attention: weights of the source at every target position, (B, T, S).
        guide: A, the same shape, zeros on padding.

    Returns:
        the sum over target positions, differentiable. Weights below ``LEAST_WEIGHT``, such as those outside a window,
        count as that and send nothing back.
    """
    attention = attention.to(torch.promote_types(attention.dtype, torch.float32))
    return -(guide * attention.clamp(min=LEAST_WEIGHT).log()).sum()
