"""Chance among test sentences: sacreBLEU's figures where it is right, and worked by hand where it is not."""

import random
from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from sacrebleu.significance import PairedTest

from s2s.report.corpus_metrics import METRICS
from s2s.report.significance import (
    RESAMPLES,
    TRIALS,
    bootstrap_p,
    bootstrap_sums,
    interval,
    randomisation_p,
    trial_sums,
)

Numbers = NDArray[np.float64]


def outputs(sentences: int) -> tuple[list[str], list[str], list[str]]:
    """Two systems of nearly the same worth, and references."""
    draw = random.Random(5)
    words = [f"w{number}" for number in range(60)]
    references = [draw.choices(words, k=draw.randint(4, 12)) for _ in range(sentences)]
    systems = [
        [[word if draw.random() < right else draw.choice(words) for word in line] for line in references]
        for right in (0.68, 0.72)
    ]
    first, second = ([" ".join(line) for line in system] for system in systems)
    return first, second, [" ".join(line) for line in references]


def resampled(name: str, system: list[str], references: list[str]) -> tuple[Numbers, Numbers]:
    """The statistics of a system, and its scores on resampled corpora."""
    metric = METRICS[name](None)
    statistics = metric.statistics(system, references)
    return statistics, metric.values(bootstrap_sums(statistics))


def randomised(name: str, first: list[str], second: list[str], references: list[str]) -> tuple[float, float]:
    """The difference of two systems, and its p by approximate randomisation."""
    metric = METRICS[name](None)
    one, other = metric.statistics(first, references), metric.statistics(second, references)
    difference = metric.value(other.sum(axis=0).tolist()) - metric.value(one.sum(axis=0).tolist())
    one_half, other_half = trial_sums(one), trial_sums(other)
    swapped = metric.values(one_half + other.sum(axis=0) - other_half)
    others = metric.values(one.sum(axis=0) - one_half + other_half)
    return difference, randomisation_p(swapped, others, difference)


@pytest.mark.parametrize(("name", "metric"), [("bleu", BLEU()), ("chrf++", CHRF(word_order=2))])
def test_intervals_and_p_values_are_those_of_sacrebleu(name: str, metric: BLEU | CHRF) -> None:
    first, second, references = outputs(150)
    named, metrics = [("first", first), ("second", second)], {"it": metric}
    _, (_, *of_bootstrap) = zip(*PairedTest(named, metrics, [references], "bs")()[1].items(), strict=True)
    _, (_, *of_trials) = zip(*PairedTest(named, metrics, [references], "ar")()[1].items(), strict=True)
    (_, one), (_, other) = (resampled(name, system, references) for system in (first, second))
    difference, p = randomised(name, first, second, references)
    baseline, system = of_bootstrap[0]
    # sacreBLEU resamples in single precision.
    assert [interval(one), interval(other)] == pytest.approx([baseline.ci, system.ci], abs=1e-4)
    assert bootstrap_p(one, other, difference) == pytest.approx(system.p_value, abs=1e-9)
    assert p == pytest.approx(of_trials[0][1].p_value, abs=1e-9)
    assert 0.001 < p < 0.9


def test_two_copies_of_a_system_do_not_differ() -> None:
    first, _, references = outputs(20)
    _, scores = resampled("bleu", first, references)
    assert bootstrap_p(scores, scores, 0.0) == 1
    assert randomised("bleu", first, first, references) == (0, 1)


def test_one_sentence_alone_is_no_evidence() -> None:
    first, _, references = outputs(20)
    difference, p = randomised("bleu", first, [references[0], *first[1:]], references)
    assert difference > 0
    assert p == 1


def test_randomisation_agrees_with_all_swaps_there_are() -> None:
    # Right or wrong in eight sentences: |difference| of 4 or more comes by 2 * (1 + 6) of the 2 ** 6 swaps that matter.
    first, second = list("xxxxxbcb"), list("aaaaabcx")
    references = list("aaaaabcb")
    signs = [
        int(two == wanted) - int(one == wanted) for one, two, wanted in zip(first, second, references, strict=True)
    ]
    totals = [
        abs(sum(sign * way for sign, way in zip(signs, ways, strict=True))) for ways in product((1, -1), repeat=8)
    ]
    exact = sum(total >= abs(sum(signs)) for total in totals) / len(totals)
    difference, p = randomised("exact", first, second, references)
    assert difference == 50
    assert exact == pytest.approx(14 / 64)
    assert p == pytest.approx(exact, abs=0.015)


def test_p_is_the_share_of_draws_that_reach_the_difference_the_observed_one_among_them() -> None:
    scores = np.array([1.0, 2.0, 3.0, 4.0])
    assert randomisation_p(scores, np.zeros(4), 3.0) == randomisation_p(np.zeros(4), scores, -3.0) == 3 / 5
    # |d*| - mean |d*| is -1.5, -0.5, 0.5 and 1.5.
    assert bootstrap_p(np.zeros(4), scores, 0.5) == 3 / 5
    assert randomisation_p(scores, np.zeros(4), 5.0) == 1 / 5


def test_draws_of_many_are_the_same_as_draws_at_once() -> None:
    statistics = np.random.default_rng(1).integers(0, 9, size=(37, 3)).astype(np.float64)
    generator = np.random.default_rng(12345)
    drawn = statistics[generator.choice(37, size=(RESAMPLES, 37), replace=True)].sum(axis=1)
    assert np.array_equal(bootstrap_sums(statistics), drawn)
    coins = np.random.default_rng(12345).integers(2, size=(TRIALS, 37), dtype=bool)
    assert np.array_equal(trial_sums(statistics), coins @ statistics)


def test_the_interval_leaves_a_fortieth_out_at_either_end() -> None:
    assert interval(np.arange(1000.0)) == (974 - 25) / 2
    assert interval(np.full(1000, 7.0)) == 0
