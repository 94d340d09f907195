"""Chance among test sentences: bootstrap intervals (Koehn 2004), and whether two systems differ by more than chance.

Everything rests on sums: a metric takes a row of numbers from each sentence, (N, C), and scores a corpus by their sum
over its sentences, (C,). The corpora drawn are those of sacreBLEU (Post 2018), with its seed and numbers of draws.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["RESAMPLES", "SEED", "TRIALS", "bootstrap_p", "bootstrap_sums", "interval", "randomisation_p", "trial_sums"]

Numbers = NDArray[np.float64]

RESAMPLES, TRIALS, SEED = 1000, 10_000, 12345
# Draws at a time, for memory; numpy throws the rest of 32 coins away, so that other numbers would draw other corpora.
DRAWS = 32 * 4
SAME = 1e-9  # differences of scores, in percent, that stem from rounding alone


def bootstrap_sums(statistics: Numbers) -> Numbers:
    """Sum over a thousand corpora of as many sentences, drawn with replacement: (N, C) -> (1000, C)."""
    sentences = len(statistics)

    def draw(generator: np.random.Generator, count: int) -> NDArray[Any]:
        drawn = generator.choice(sentences, size=(count, sentences), replace=True)
        return np.stack([np.bincount(row, minlength=sentences) for row in drawn])

    return _sums(statistics, RESAMPLES, draw)


def trial_sums(statistics: Numbers) -> Numbers:
    """Sum over ten thousand halves of the corpus, each sentence in or out by a coin: (N, C) -> (10000, C)."""
    sentences = len(statistics)
    return _sums(
        statistics, TRIALS, lambda generator, count: generator.integers(2, size=(count, sentences), dtype=bool)
    )


def _sums(statistics: Numbers, count: int, draw: Callable[[np.random.Generator, int], NDArray[Any]]) -> Numbers:
    """Sum with the weights (draws, N) that are drawn."""
    generator = np.random.default_rng(SEED)
    sizes = [min(DRAWS, count - start) for start in range(0, count, DRAWS)]
    return np.concatenate([draw(generator, size).astype(np.float64) @ statistics for size in sizes])


def interval(scores: Numbers) -> float:
    """Half the width of the 95 % confidence interval of resampled scores, as sacreBLEU cuts it."""
    ordered, cut = np.sort(scores), len(scores) // 40
    return float(ordered[len(scores) - cut - 1] - ordered[cut]) / 2


def bootstrap_p(baseline: Numbers, system: Numbers, difference: float) -> float:
    """Test a difference by resampled scores of both systems on the same draws, (R,) each.

    Koehn (2004) as Moses' script and sacreBLEU put it: how often ``|d*| - mean |d*|`` reaches the difference observed.
    As the sign of ``d*`` hardly changes where a difference is clear, it is in effect a one-sided test.
    """
    differences = np.abs(system - baseline)
    return _p(differences - differences.mean(), difference)


def randomisation_p(swapped: Numbers, others: Numbers, difference: float) -> float:
    """Test a difference by the scores of both systems after their outputs were swapped at random, (R,) each.

    Approximate randomisation, two-sided; Noreen (1989), Riezler & Maxwell (2005).
    """
    return _p(np.abs(swapped - others), difference)


def _p(chance: Numbers, difference: float) -> float:
    """How probable chance makes at least this difference, the observed one counted as a draw; never 0.

    sacreBLEU counts larger differences only, which would find two copies of one system to differ (p = 0.0001), and
    any two that differ in one sentence; here ties count too, as Noreen (1989) has it.
    """
    return float(1 + np.sum(chance >= abs(difference) - SAME)) / (1 + len(chance))
