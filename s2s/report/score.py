"""A number that carries how it was computed, and what computes such numbers."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from s2s.errors import InputError
from s2s.report.significance import RESAMPLES, SEED, bootstrap_sums, interval

__all__ = ["Metric", "Score", "told"]


@dataclass(frozen=True)
class Score:
    """A number with what is needed to compare it: ``BLEU = 39.52 ± 1.13 (nrefs:1|bs:1000|…|version:2.6.0)``.

    Args:
        name: the name of the metric, as printed.
        value: the number; percent for everything but perplexity.
        signature: how it was computed, in sacreBLEU's form ``key:value|key:value``.
        confidence: half the width of the 95 % confidence interval, in the unit of the value; None if not estimated.
    """

    name: str
    value: float
    signature: str
    confidence: float | None = None

    def __str__(self) -> str:
        interval = "" if self.confidence is None else f" ± {self.confidence:.2f}"
        return f"{self.name} = {self.value:.2f}{interval} ({self.signature})"

    def as_dict(self) -> dict[str, float | str]:
        """Value, confidence where it was estimated, and signature, in JSON's types."""
        interval = {} if self.confidence is None else {"confidence": self.confidence}
        return {"value": self.value, **interval, "signature": self.signature}


class Metric(ABC):
    """A score that follows from sums over sentences: what is counted once can be resampled, swapped and divided.

    Args:
        name: as printed.
        lower_is_better: whether it counts what is wrong.
    """

    def __init__(self, name: str, *, lower_is_better: bool = False) -> None:
        self.name = name
        self.lower_is_better = lower_is_better

    @abstractmethod
    def statistics(self, hypotheses: Iterable[str], references: Sequence[str]) -> NDArray[np.float64]:
        """Count what the score is made of, sentence by sentence: (N, C), whole numbers."""

    @abstractmethod
    def value(self, sums: Sequence[float]) -> float:
        """Score a corpus, in percent, by the sums (C,) of its sentences' statistics."""

    @abstractmethod
    def signature(self, **draws: int) -> str:
        """Say how it is computed, after it was: of ``bs`` resamples and ``ar`` trials too, where there were some."""

    def sentence_value(self, statistics: Sequence[float]) -> float:
        """Score one sentence by its statistics (C,)."""
        return self.value(statistics)

    def values(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """Score many corpora: (R, C) -> (R,)."""
        # Where two systems differ in little, most draws are the same.
        different, places = np.unique(sums, axis=0, return_inverse=True)
        return np.array([self.value(row) for row in different.tolist()])[places.reshape(-1)]

    def score(self, hypotheses: Sequence[str], references: Sequence[str], *, confidence: bool = False) -> Score:
        """Score a corpus; with ``confidence``, give its 95 % interval over a thousand resampled corpora (Koehn 2004).

        Raises:
            InputError: the lists are empty or differ in length.
        """
        _check_pairs(self.name, hypotheses, references)
        statistics = self.statistics(hypotheses, references)
        half = interval(self.values(bootstrap_sums(statistics))) if confidence else None
        draws = {"bs": RESAMPLES} if confidence else {}
        return Score(self.name, self.value(statistics.sum(axis=0).tolist()), self.signature(**draws), half)


def told(draws: dict[str, int]) -> dict[str, int]:
    """What a signature says of draws, where there were some: their numbers and their seed."""
    return draws | ({"seed": SEED} if draws else {})


def _check_pairs(name: str, hypotheses: Sequence[str], references: Sequence[str]) -> None:
    if isinstance(hypotheses, str) or isinstance(references, str):
        raise InputError(f"{name} got a single string, expected lists of sentences; wrap it in a list")
    if len(hypotheses) != len(references):
        raise InputError(
            f"{name} got {len(hypotheses)} hypotheses and {len(references)} references, expected one reference for "
            "each hypothesis; check that both files are of the same test set, line by line"
        )
    if not hypotheses:
        raise InputError(f"{name} got 0 hypotheses and 0 references, expected at least 1; check that no file is empty")
