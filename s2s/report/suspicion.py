"""What attention and probabilities say about a translation that has no reference."""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from s2s.errors import InputError
from s2s.report.sheet import View
from s2s.report.words import EOS_PIECE

__all__ = ["Suspicion", "confidence", "suspicion"]

CHINESE = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]")
CHINESE_SIZE = 0.5  # of a word; characters of one piece share its weight, so that each has less than a word has

NEVER, OFTEN = 0.1, 3.5  # weight on a source word, as a share of what a word gets on average
REPEATED_PHRASE = 3.0  # words; shorter ones, such as "in the", are said twice by good translations
UNLIKELY = 0.05
PERPLEXED = 5.0
SPREAD = 2.0  # words looked at, exp of the entropy
SHORT, LONG = 0.5, 2.0
NAMED = 3


@dataclass(frozen=True, kw_only=True)
class Suspicion:
    """What speaks against a translation; 0 and empty everywhere for a certain one that looks at each word once.

    Args:
        mean_log_prob: of a target word, ``</s>`` included; natural logarithm.
        least_likely: the target word the model was least sure of, or ``</s>`` for the end.
        least_probability: of that word.
        attention_entropy: mean over target words, in nats; AP_out of Rikters & Fishel (2017) without its sign. It is
            not divided by log S: its exponential is the number of words looked at, in a sentence of any length.
        coverage_deviation: mean of ``log(1 + (1 - c)²)`` over source words, ``</s>`` included. Their CDP without its
            sign, but c is the weight on a word over the average T/S and not over 1, as a Chinese character gets less
            than 1 and a word with many counterparts more.
        confidence: see `confidence`.
        length_ratio: words of the target per word of the source; two Chinese characters count as a word.
        never_looked_at: phrases of the source with less than a tenth of the average weight. Single words, and two
            Chinese characters, are left out: a recurrent encoder reads an article from the word beside it.
        looked_at_often: phrases of the source, each word with more than 3.5 times the weight that is its due, and
            their weight. A word is due the average weight, and at least 1, a Chinese character at least half.
        said_again: phrases of three words or more that the target has said before, or shorter ones right after
            themselves, where the source does not repeat as much.
        repeated_share: words said again and not repeated by the source, of all target words.
    """

    mean_log_prob: float
    least_likely: str
    least_probability: float
    attention_entropy: float
    coverage_deviation: float
    confidence: float
    length_ratio: float
    never_looked_at: tuple[str, ...]
    looked_at_often: tuple[tuple[str, float], ...]
    said_again: tuple[str, ...]
    repeated_share: float

    @property
    def perplexity(self) -> float:
        """Per target word, ``exp(-mean_log_prob)``; above that per piece, as words are longer than pieces."""
        return math.exp(-self.mean_log_prob)

    @property
    def score(self) -> float:
        """What translations are ranked by, larger is more suspicious: the sum of four measures that start at 0.

        ``-mean_log_prob + attention_entropy + coverage_deviation + repeated_share``. The first three are logarithms,
        so that none needs a weight, and nothing depends on other sentences: what one model made of two files can be
        compared, and a stream can be ranked as it comes. The entropy of source words (AP_in) is left out; it grows
        with every word that rightly has two counterparts.
        """
        return -self.mean_log_prob + self.attention_entropy + self.coverage_deviation + self.repeated_share

    @property
    def reasons(self) -> tuple[str, ...]:
        """What stands out, in words; empty where nothing does."""
        often = [f"{phrase} ({weight:.1f})" for phrase, weight in self.looked_at_often]
        unlikely = "ending here" if self.least_likely == EOS_PIECE else self.least_likely
        probability = "< 0.001" if self.least_probability < 0.001 else f"= {self.least_probability:.2g}"
        spread = math.exp(self.attention_entropy)
        said = (
            (bool(self.never_looked_at), f"never looked at: {_some(self.never_looked_at)}"),
            (bool(often), f"looked at too often: {_some(often)}"),
            (bool(self.said_again), f"said again: {_some(self.said_again)}"),
            (self.least_probability < UNLIKELY, f"unsure of: {unlikely} (p {probability})"),
            (self.perplexity > PERPLEXED, f"unsure throughout (perplexity {self.perplexity:.3g})"),
            (spread > SPREAD, f"attention is spread over {spread:.1f} words"),
            (self.length_ratio < SHORT, f"short (length ratio {self.length_ratio:.2f})"),
            (self.length_ratio > LONG, f"long (length ratio {self.length_ratio:.2f})"),
        )
        return tuple(reason for stands_out, reason in said if stands_out)

    def as_dict(self) -> dict[str, Any]:
        """The same in JSON's types, numbers rounded to six digits after the point."""
        fields = {"score": self.score, **asdict(self), "perplexity": self.perplexity}
        rounded = {name: round(value, 6) if isinstance(value, float) else value for name, value in fields.items()}
        often = [[phrase, round(weight, 6)] for phrase, weight in self.looked_at_often]
        lists = {name: list(getattr(self, name)) for name in ("never_looked_at", "said_again", "reasons")}
        return {**rounded, **lists, "looked_at_often": often}


def confidence(weights: NDArray[Any]) -> float:
    """Confidence through attention: CDP + AP_out + AP_in, 0 for one-to-one attention and below 0 for any other.

    Rikters & Fishel (2017), "Confidence through Attention", all three as penalties, below 0:
    ``CDP = -1/S Σ_j log(1 + (1 - Σ_i α_ij)²)``, ``AP_out = 1/T Σ_i Σ_j α_ij log α_ij`` and ``AP_in`` the same over
    columns, each of which is divided by its sum.

    Args:
        weights: (T, S), T and S at least 1.
    """
    columns = weights.sum(axis=0)
    shares = weights / np.where(columns > 0, columns, 1)
    return -_deviation(columns) - _entropy(weights) - _entropy(shares.T)


def suspicion(words: View) -> Suspicion:
    """Measure one translation between its words.

    Raises:
        InputError: a side has no label.
    """
    if not words.source or not words.target:
        raise InputError(
            f"{len(words.source)} source and {len(words.target)} target words, expected at least 1 of each; "
            "leave out empty sentences"
        )
    weights = np.asarray(words.weights, dtype=np.float64)
    columns = weights.sum(axis=0)
    average = len(words.target) / len(words.source)
    due = [max(average, _size([word])) for word in words.source]
    least = int(np.argmin(words.log_probs))
    of_source, of_target = ([labels[i] for i in _spoken(labels)] for labels in (words.source, words.target))
    never = _runs(words.source, columns < NEVER * average)
    often = _runs(words.source, columns > OFTEN * np.array(due))
    again = _said_again(of_target)
    repeated = max(0, sum(map(len, again)) - sum(map(len, _said_again(of_source))))
    return Suspicion(
        mean_log_prob=float(np.mean(words.log_probs)),
        least_likely=words.target[least],
        least_probability=math.exp(words.log_probs[least]),
        attention_entropy=_entropy(weights),
        coverage_deviation=_deviation(columns / average),
        confidence=confidence(weights),
        length_ratio=max(_size(of_target), CHINESE_SIZE) / max(_size(of_source), CHINESE_SIZE),
        never_looked_at=tuple(_phrase(words.source, run) for run in never if _size(words.source[i] for i in run) > 1),
        looked_at_often=tuple((_phrase(words.source, run), float(columns[run].sum())) for run in often),
        said_again=tuple(dict.fromkeys(_joined(_period(phrase)) for phrase in again)) if repeated else (),
        repeated_share=repeated / max(1, len(of_target)),
    )


def _entropy(rows: NDArray[np.float64]) -> float:
    """Mean entropy of the rows, in nats."""
    return float(-(rows * np.log(np.where(rows > 0, rows, 1))).sum(axis=1).mean())


def _deviation(coverage: NDArray[np.float64]) -> float:
    return float(np.log1p((1 - coverage) ** 2).mean())


def _size(labels: Iterable[str]) -> float:
    return sum(CHINESE_SIZE if CHINESE.match(label) else 1.0 for label in labels)


def _spoken(labels: Sequence[str]) -> list[int]:
    """Indices of what is neither a mark nor the end."""
    return [i for i, label in enumerate(labels) if label != EOS_PIECE and any(map(str.isalnum, label))]


def _runs(labels: Sequence[str], wanted: NDArray[np.bool_]) -> list[list[int]]:
    """Indices of words that are wanted one after the other, whatever marks stand between them; the longest first."""
    runs = [list(run) for found, run in groupby(_spoken(labels), lambda i: bool(wanted[i])) if found]
    return sorted(runs, key=len, reverse=True)


def _said_again(words: list[str]) -> list[list[str]]:
    """Find phrases that were said before, the longest first; no word is counted twice.

    A short one counts right after itself alone, and a single Chinese character not even there: 谢谢 is one word.
    """
    folded = [word.casefold() for word in words]
    counted: set[int] = set()
    found = []
    for length in range(len(words) // 2, 0, -1):
        earlier = set()
        for start in range(length, len(words) - length + 1):
            before, here = tuple(folded[start - length : start]), tuple(folded[start : start + length])
            earlier.add(before)
            if here not in earlier or not counted.isdisjoint(range(start, start + length)):
                continue
            if _size(here) >= (1 if here == before else REPEATED_PHRASE):
                counted.update(range(start, start + length))
                found.append(words[start : start + length])
    return found


def _period(words: list[str]) -> list[str]:
    """What is said over and over: ``to be to be to`` -> ``to be``."""
    return next(words[:size] for size in range(1, len(words) + 1) if words[size:] == words[:-size])


def _phrase(labels: Sequence[str], run: list[int]) -> str:
    """Words with the marks between them."""
    return _joined(labels[run[0] : run[-1] + 1])


def _joined(words: Sequence[str]) -> str:
    """Words as they are written, without blanks beside Chinese characters and before marks."""
    text = words[0]
    for left, right in pairwise(words):
        close = CHINESE.match(left) or CHINESE.match(right) or not right[0].isalnum()
        text += right if close else f" {right}"
    return text


def _some(phrases: Sequence[str]) -> str:
    return " / ".join([*phrases[:NAMED], *["…"] * (len(phrases) > NAMED)])
