"""Metrics of sequences that have one right answer: exact match and token error rate."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from s2s.report.score import Metric, told

__all__ = ["ExactMatch", "OfTokens", "TokenErrorRate", "edit_distance"]


class OfTokens(Metric):
    """A metric of sequences that have one right answer, such as phones of a word or actions of a command."""

    def signature(self, **draws: int) -> str:
        """In the form of sacreBLEU's signatures."""
        info = {"nrefs": 1, **told(draws), "case": "mixed", "tok": "blanks"}
        return "|".join(f"{key}:{value}" for key, value in info.items())


class ExactMatch(OfTokens):
    """Percentage of hypotheses whose tokens are those of the reference, in order; blanks alone part tokens.

    The word error rate of SIGMORPHON's shared tasks, whose words are sequences of phones, is 100 minus this.
    """

    def __init__(self) -> None:
        super().__init__("exact match")

    def statistics(self, hypotheses: Iterable[str], references: Sequence[str]) -> NDArray[np.float64]:
        """Whether a hypothesis is right, and 1."""
        pairs = zip(hypotheses, references, strict=True)
        return np.array([(one.split() == other.split(), 1) for one, other in pairs], dtype=np.float64)

    def value(self, sums: Sequence[float]) -> float:
        """Right ones in a hundred."""
        return 100 * sums[0] / sums[1]


class TokenErrorRate(OfTokens):
    """Tokens inserted, deleted and replaced per hundred reference tokens; blanks alone part tokens.

    Levenshtein's distance over the corpus: of phones the phone error rate, of words what speech recognition calls the
    word error rate. SIGMORPHON's word error rate is another thing; see ``ExactMatch``.
    """

    def __init__(self) -> None:
        super().__init__("token error rate", lower_is_better=True)

    def statistics(self, hypotheses: Iterable[str], references: Sequence[str]) -> NDArray[np.float64]:
        """Edits, and the number of reference tokens."""
        tokens = ((one.split(), other.split()) for one, other in zip(hypotheses, references, strict=True))
        return np.array([(edit_distance(one, other), len(other)) for one, other in tokens], dtype=np.float64)

    def value(self, sums: Sequence[float]) -> float:
        """Edits per hundred tokens; as TER has it, 100 for some where the reference has none."""
        edits, tokens = sums
        return 100 * edits / tokens if tokens else 100 * float(edits > 0)


def edit_distance(one: Sequence[str], other: Sequence[str]) -> int:
    """Count the fewest insertions, deletions and replacements that make one sequence the other; Levenshtein (1966)."""
    if one == other:
        return 0
    above = list(range(len(other) + 1))
    for row, token in enumerate(one, 1):
        current = [row]
        for column, wanted in enumerate(other, 1):
            replaced = above[column - 1] + (token != wanted)
            current.append(min(replaced, above[column] + 1, current[-1] + 1))
        above = current
    return above[-1]
