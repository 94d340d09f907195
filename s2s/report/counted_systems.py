"""What systems made of a test set, counted once: their scores, the chance in them, and tests of their differences."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from s2s.report.buckets import Bucket
from s2s.report.score import Metric, Score
from s2s.report.significance import (
    RESAMPLES,
    SAME,
    TRIALS,
    bootstrap_p,
    bootstrap_sums,
    interval,
    randomisation_p,
    trial_sums,
)

__all__ = ["CountedSystems", "Difference", "ScoredBucket", "System", "now_and_then", "telling"]

Numbers = NDArray[np.float64]
Say = Callable[[str], None]

SECONDS_BETWEEN_NOTICES = 5


@dataclass(frozen=True)
class System:
    """What a system made of the test set, a sentence for each reference.

    Args:
        name: as it is called in tables.
        hypotheses: its output.
        others: scores of it that were worked out elsewhere.
    """

    name: str
    hypotheses: Sequence[str]
    others: tuple[Score, ...] = ()


@dataclass(frozen=True)
class Difference:
    """What a system has over the baseline in one metric.

    Args:
        value: its score minus the baseline's.
        bootstrap_p, randomisation_p: see ``s2s.report.significance``.
        better, worse, equal: numbers of sentences, by the scores of sentences.
    """

    value: float
    bootstrap_p: float
    randomisation_p: float
    better: int
    worse: int
    equal: int


@dataclass(frozen=True)
class ScoredBucket:
    """Some of the sentences, how many, and what each system scores on them: metric -> a score for each system."""

    label: str
    sentences: int
    scores: dict[str, list[Score]]


class CountedSystems:
    """The statistics of every system in every metric, (N, C) each: counted once, summed as often as is needed."""

    def __init__(
        self, systems: Sequence[System], references: Sequence[str], metrics: Sequence[Metric], say: Say
    ) -> None:
        self.systems, self.metrics, self.say = systems, metrics, say
        self.counts = {
            metric.name: [
                metric.statistics(telling(system.hypotheses, say, f"{metric.name} of {system.name}"), references)
                for system in systems
            ]
            for metric in metrics
        }
        self.of_sentences = {
            metric.name: np.array(
                [[metric.sentence_value(row) for row in counts.tolist()] for counts in self.counts[metric.name]]
            )
            for metric in metrics
        }

    def compared(self) -> tuple[dict[str, list[Score]], dict[str, list[Difference]]]:
        """Score the whole test set, and test the differences from the first system."""
        draws = {"bs": RESAMPLES} | ({"ar": TRIALS} if len(self.systems) > 1 else {})
        resampled, scores = self._scores(slice(None), draws)
        halves = self._summed(trial_sums, slice(None)) if len(self.systems) > 1 else {}
        differences = {
            metric.name: [
                self._difference(metric, system, resampled[metric.name], halves[metric.name])
                for system in range(1, len(self.systems))
            ]
            for metric in self.metrics
        }
        return scores, differences

    def scored(self, bucket: Bucket) -> ScoredBucket:
        """Score some of the sentences."""
        self.say(f"scores of {bucket.label}")
        return ScoredBucket(bucket.label, len(bucket.rows), self._scores(bucket.rows, {"bs": RESAMPLES})[1])

    def _scores(
        self, rows: NDArray[np.int64] | slice, draws: dict[str, int]
    ) -> tuple[dict[str, list[Numbers]], dict[str, list[Score]]]:
        """The scores of resampled corpora, (R,), and of the corpus, for each metric and system."""
        drawn = self._summed(bootstrap_sums, rows)
        resampled = {metric.name: [metric.values(sums) for sums in drawn[metric.name]] for metric in self.metrics}
        scores = {
            metric.name: [
                Score(metric.name, metric.value(_total(counts[rows])), metric.signature(**draws), interval(values))
                for counts, values in zip(self.counts[metric.name], resampled[metric.name], strict=True)
            ]
            for metric in self.metrics
        }
        return resampled, scores

    def _summed(self, draw: Callable[[Numbers], Numbers], rows: NDArray[np.int64] | slice) -> dict[str, list[Numbers]]:
        """Sums over draws, (R, C), for each metric and system: the same draws for all of them."""
        counts = [one[rows] for metric in self.metrics for one in self.counts[metric.name]]
        ends = np.cumsum([one.shape[1] for one in counts])
        sums = iter(np.split(draw(np.concatenate(counts, axis=1)), ends[:-1], axis=1))
        return {metric.name: [next(sums) for _ in self.systems] for metric in self.metrics}

    def _difference(self, metric: Metric, system: int, resampled: list[Numbers], halves: list[Numbers]) -> Difference:
        """Test what a system has over the first."""
        self.say(f"{metric.name} of {self.systems[system].name} against {self.systems[0].name}: {TRIALS:,} trials")
        totals = [counts.sum(axis=0) for counts in self.counts[metric.name]]
        value = metric.value(totals[system].tolist()) - metric.value(totals[0].tolist())
        swapped = metric.values(halves[0] + totals[system] - halves[system])
        others = metric.values(totals[0] - halves[0] + halves[system])
        of_sentences = self.of_sentences[metric.name]
        gains = (of_sentences[system] - of_sentences[0]) * (-1 if metric.lower_is_better else 1)
        better, worse = int(np.sum(gains > SAME)), int(np.sum(gains < -SAME))
        return Difference(
            value=value,
            bootstrap_p=bootstrap_p(resampled[0], resampled[system], value),
            randomisation_p=randomisation_p(swapped, others, value),
            better=better,
            worse=worse,
            equal=len(gains) - better - worse,
        )


def _total(counts: Numbers) -> list[float]:
    """The sums over sentences, (N, C) -> (C,)."""
    sums: list[float] = counts.sum(axis=0).tolist()
    return sums


def now_and_then(say: Say) -> Say:
    """Pass a line on every few seconds, of those that come more often."""
    told = time.monotonic()

    def tell(line: str) -> None:
        nonlocal told
        if time.monotonic() - told > SECONDS_BETWEEN_NOTICES:
            told = time.monotonic()
            say(line)

    return tell


def telling(lines: Iterable[str], say: Say, what: str) -> Iterator[str]:
    """Pass lines on and tell how many there have been."""
    for number, line in enumerate(lines, 1):
        if number % 100 == 0:
            say(f"{what}: {number:,} lines")
        yield line
