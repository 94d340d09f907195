"""What a hypothesis's length and attention do to its score, and what a sentence may not say next."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from s2s.errors import InputError

# An unseen source position costs log(1e-12) = -27.6 instead of making the score infinite.
SMALLEST_COVERAGE = 1e-12
MOST_RATIO, MOST_EXTRA = 100, 10_000
AWAITED_EXTRA = 3


def length_penalty(length: int | NDArray[np.int64], alpha: float) -> Any:
    """``lp(Y) = ((5 + |Y|) / 6) ** alpha``, |Y| counting EOS. Wu et al. (2016), eq. 14."""
    return ((5 + length) / 6) ** alpha


def coverage_penalty(coverage: Tensor, source_lengths: Tensor, beta: float) -> Tensor:
    """``cp(X; Y) = beta * sum_i log(min(sum_j p_ij, 1))`` over real source positions. Wu et al. (2016), eq. 14.

    Args:
        coverage: (B, K, S), the attention each source position has received so far.
        source_lengths: (B,).
        beta: 0 or more; 0 is no penalty.

    Returns:
        (B, K), never above 0.
    """
    padding = torch.arange(coverage.shape[-1]) >= source_lengths[:, None, None]
    return beta * coverage.clamp(SMALLEST_COVERAGE, 1.0).log().masked_fill(padding, 0.0).sum(-1)


def score_bound(
    log_prob: NDArray[np.float64], next_length: int, maximum: NDArray[np.int64], alpha: float
) -> NDArray[np.float64]:
    """The best score any continuation of a live hypothesis can reach: (B,) -> (B,).

    A continuation's log-probability is no higher and its coverage penalty is at most 0; the length that helps most is
    the longest where alpha is positive and the next one where it is negative. After Huang, Zhao & Ma (2017), section 3.
    """
    bound: NDArray[np.float64] = log_prob / length_penalty(maximum if alpha > 0 else next_length, alpha)
    return bound


def awaited_length(longest: NDArray[np.int64], ratio: float) -> NDArray[np.int64]:
    """How long a target may be to be awaited, given the longest of those that each sentence has kept: (B,) -> (B,)."""
    awaited: NDArray[np.int64] = np.floor(ratio * longest).astype(np.int64) + AWAITED_EXTRA
    return awaited


def length_limits(
    source_lengths: NDArray[np.int64], *, min_ratio: float, max_ratio: float, max_extra: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Each sentence's own least and greatest number of target tokens, EOS counted: (B,) -> (B,), (B,)."""
    minimum = np.floor(min_ratio * source_lengths).astype(np.int64)
    maximum = np.floor(max_ratio * source_lengths).astype(np.int64) + max_extra
    return minimum, np.maximum(maximum, 1)


def check_limits(*, min_ratio: float, max_ratio: float, max_extra: int) -> None:
    """Refuse limits that leave no length, and lengths that would never end."""
    if not 0 <= min_ratio <= max_ratio < math.inf:
        raise InputError(
            f"expected 0 <= min_ratio <= max_ratio < inf, got min_ratio={min_ratio} and max_ratio={max_ratio}; "
            "both are target tokens per source token"
        )
    if max_extra < 0:
        raise InputError(f"max_extra must be 0 or more, got {max_extra}; lower max_ratio to shorten the targets")
    if max_ratio > MOST_RATIO or max_extra > MOST_EXTRA:
        raise InputError(
            f"max_ratio must be at most {MOST_RATIO} and max_extra {MOST_EXTRA:,}, got {max_ratio} and {max_extra}; no "
            "target is that much longer than its source"
        )


def forbid_(scores: Tensor, *, eos: int, forbidden: Sequence[int], too_short: Tensor, at_limit: Tensor) -> Tensor:
    """Write -inf, in place, over the tokens that may not come next.

    Args:
        scores: (B, R, V).
        eos: may not come where the sentence is ``too_short``, and alone may come where it is ``at_limit``.
        forbidden: ids that never may come.
        too_short: (B,), bool, on the CPU.
        at_limit: (B,), bool, on the CPU.
    """
    for token in forbidden:
        scores[:, :, token] = -torch.inf
    if too_short.any():
        scores[too_short.nonzero().flatten(), :, eos] = -torch.inf
    if at_limit.any():
        sentences = at_limit.nonzero().flatten()
        ends = scores[sentences, :, eos]
        scores[sentences] = -torch.inf
        scores[sentences, :, eos] = ends
    return scores
