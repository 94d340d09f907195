"""What a score hides: sentences by their length and by their rarest word, and words by how often training had them.

The buckets of words and the F-measure are those of compare-mt (Neubig et al. 2019).
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Bucket", "Matches", "by_frequency", "by_length", "by_rarest_word", "count_words"]

Words = Sequence[str]

LENGTHS = (1, 6, 11, 16, 21, 31, 41, 51, 61)
FREQUENCIES = (1, 2, 5, 10, 100, 1000)


@dataclass(frozen=True)
class Bucket:
    """Some of the sentences, as rows (M,) counted from 0; the label is a range, ``6–10`` or ``61+``."""

    label: str
    rows: NDArray[np.int64]


@dataclass(frozen=True)
class Matches:
    """How many words of a frequency the references have, a system wrote, and both have, sentence by sentence."""

    references: int
    hypotheses: int
    matched: int

    @property
    def precision(self) -> float:
        """Matched words in a hundred that were written; 0 where none was."""
        return 100 * self.matched / self.hypotheses if self.hypotheses else 0.0

    @property
    def recall(self) -> float:
        """Matched words in a hundred of the references; 0 where there is none."""
        return 100 * self.matched / self.references if self.references else 0.0

    @property
    def f_measure(self) -> float:
        """Harmonic mean of precision and recall; 0 where both are."""
        return 200 * self.matched / (self.references + self.hypotheses) if self.references + self.hypotheses else 0.0

    def as_dict(self) -> dict[str, float]:
        """Counts and percentages in JSON's types."""
        return {**vars(self), "precision": self.precision, "recall": self.recall, "f_measure": self.f_measure}


def count_words(lines: Iterable[str], cut: Callable[[str], Words], wanted: Iterable[str]) -> Counter[str]:
    """Count in a text those words that are wanted; ``cut`` finds the words of a line."""
    kept = set(wanted)
    return Counter(word for line in lines for word in cut(line) if word in kept)


def by_length(sentences: Sequence[Words]) -> list[Bucket]:
    """Divide sentences by their number of words; a bucket without sentences is left out."""
    return _buckets([len(sentence) for sentence in sentences], LENGTHS)


def by_rarest_word(references: Sequence[Words], frequencies: Counter[str]) -> list[Bucket]:
    """Divide sentences by the frequency of that word of the reference which is rarest in training.

    Sentences whose reference has no word are left out, and so are buckets without sentences.
    """
    rows = np.array([row for row, words in enumerate(references) if words], dtype=np.int64)
    rarest = [min(frequencies[word] for word in references[row]) for row in rows]
    return [Bucket(bucket.label, rows[bucket.rows]) for bucket in _buckets(rarest, FREQUENCIES)]


def by_frequency(
    hypotheses: Sequence[Words], references: Sequence[Words], frequencies: Counter[str]
) -> dict[str, Matches]:
    """Count words by how often training had them: all buckets, by their labels.

    A word of a hypothesis matches as often as the reference of the same sentence has it, wherever it stands.
    """
    written, wanted, matched = (np.zeros(len(FREQUENCIES) + 1, dtype=np.int64) for _ in range(3))
    for hypothesis, reference in zip(map(Counter, hypotheses), map(Counter, references), strict=True):
        for counts, totals in (
            (hypothesis, written),
            (reference, wanted),
            (hypothesis & reference, matched),
        ):
            for word, count in counts.items():
                totals[_place(frequencies[word], FREQUENCIES)] += count
    counted = zip(wanted.tolist(), written.tolist(), matched.tolist(), strict=True)
    return {label: Matches(*counts) for label, counts in zip(_labels(FREQUENCIES), counted, strict=True)}


def _buckets(values: Sequence[int], starts: Sequence[int]) -> list[Bucket]:
    """Rows by the range their value falls into; those ranges that have some."""
    places = np.array([_place(value, starts) for value in values], dtype=np.int64)
    rows = ((label, np.flatnonzero(places == place)) for place, label in enumerate(_labels(starts)))
    return [Bucket(label, found) for label, found in rows if len(found)]


def _place(value: int, starts: Sequence[int]) -> int:
    """The number of the range a value falls into; what is before the first start is range 0."""
    return sum(value >= start for start in starts)


def _labels(starts: Sequence[int]) -> list[str]:
    """Ranges of whole numbers from 0: of starts (1, 2, 5), ``0``, ``1``, ``2–4`` and ``5+``."""
    edges = (0, *starts)
    closed = [
        f"{start}" if end == start + 1 else f"{start}–{end - 1}" for start, end in zip(edges, starts, strict=False)
    ]
    return [*closed, f"{starts[-1]}+"]
