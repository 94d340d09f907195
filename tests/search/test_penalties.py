"""Penalties and limits by known answers."""

import math

import numpy as np
import pytest
import torch

from s2s.search.penalties import awaited_length, coverage_penalty, forbid_, length_limits, length_penalty, score_bound


def test_length_penalty_by_hand() -> None:
    assert length_penalty(1, 0.6) == 1.0
    assert length_penalty(7, 1.0) == 2.0
    assert length_penalty(7, -1.0) == 0.5
    assert length_penalty(100, 0.0) == 1.0


def test_coverage_penalty_by_hand_counts_real_positions_only() -> None:
    coverage = torch.tensor([[[0.5, 2.0, 0.25]], [[0.5, 2.0, 0.0]]], dtype=torch.float64)
    penalty = coverage_penalty(coverage, torch.tensor([3, 2]), 0.2)
    assert penalty.flatten().tolist() == pytest.approx([0.2 * math.log(0.125), 0.2 * math.log(0.5)])


def test_a_position_never_seen_costs_much_but_not_everything() -> None:
    penalty = coverage_penalty(torch.zeros(1, 1, 1, dtype=torch.float64), torch.tensor([1]), 1.0)
    assert penalty.item() == pytest.approx(math.log(1e-12))


@pytest.mark.parametrize("alpha", [-1.0, 0.0, 0.6, 3.0])
def test_no_continuation_scores_above_the_bound(alpha: float) -> None:
    log_prob, maximum = np.array([-3.0, -50.0]), np.array([9, 40])
    bound = score_bound(log_prob, 4, maximum, alpha)
    reachable = [
        max(p / length_penalty(length, alpha) for length in range(4, longest + 1))
        for p, longest in zip(log_prob.tolist(), maximum.tolist(), strict=True)
    ]
    assert bound.tolist() == pytest.approx(reachable, rel=1e-12)


def test_what_is_awaited_grows_with_the_longest_that_is_kept() -> None:
    assert awaited_length(np.array([0, 1, 10, 11]), 1.25).tolist() == [3, 4, 15, 16]


def test_limits_are_floors_of_the_sources_own_length() -> None:
    minimum, maximum = length_limits(np.array([1, 4, 7]), min_ratio=0.5, max_ratio=1.5, max_extra=2)
    assert minimum.tolist() == [0, 2, 3]
    assert maximum.tolist() == [3, 8, 12]


def test_a_limit_is_never_below_the_end_itself() -> None:
    _, maximum = length_limits(np.array([1, 3]), min_ratio=0.0, max_ratio=0.5, max_extra=0)
    assert maximum.tolist() == [1, 1]


def test_forbidding_touches_the_sentences_concerned_and_no_other() -> None:
    scores = torch.arange(1.0, 25.0).view(3, 2, 4)
    before = scores.clone()
    yes_for_first, yes_for_last = torch.tensor([True, False, False]), torch.tensor([False, False, True])
    forbid_(scores, eos=1, forbidden=(0,), too_short=yes_for_first, at_limit=yes_for_last)
    gone = scores.isneginf()
    assert gone.tolist() == [
        [[True, True, False, False]] * 2,
        [[True, False, False, False]] * 2,
        [[True, False, True, True]] * 2,
    ]
    assert scores[~gone].equal(before[~gone])
