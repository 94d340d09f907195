"""From attention between words to links, and how far these are from what people aligned."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from s2s.errors import InputError
from s2s.report.sheet import View
from s2s.report.words import EOS_PIECE

__all__ = ["AlignmentScore", "alignment_error_rate", "hard_links", "read_links"]

Link = tuple[int, int]

LINK = re.compile(r"([0-9]+)([-?])([0-9]+)")


@dataclass(frozen=True)
class AlignmentScore:
    """Alignment error rate, precision and recall, each a fraction from 0 to 1."""

    error_rate: float
    precision: float
    recall: float

    def __str__(self) -> str:
        return f"AER = {self.error_rate:.3f} (precision {self.precision:.3f}, recall {self.recall:.3f})"


def hard_links(view: View, *, share: float = 0.5) -> set[Link]:
    """Decide on links (source index, target index) between words; ``</s>`` is no word, so its weight is left out.

    Each target word is linked to the source word it attends to most and to every other with at least ``share`` of that
    maximum. Half is the default because characters of one Chinese piece divide its weight among them: a piece of two
    characters that wins over a neighbour of one must not lose its links by being longer.

    Raises:
        InputError: ``share`` is not above 0 and at most 1.
    """
    if not 0 < share <= 1:
        raise InputError(f"share is {share}, expected a number above 0 and at most 1; 0.5 is the default")
    source_size = len(view.source) - (view.source[-1] == EOS_PIECE)
    links: set[Link] = set()
    for target, (word, row) in enumerate(zip(view.target, view.weights, strict=True)):
        on_words = row[:source_size]
        if word == EOS_PIECE or on_words.sum() <= 0:
            continue
        # Shares of one piece are equal but for rounding.
        threshold = share * on_words.max() * (1 - 1e-9)
        links.update((int(source), target) for source in np.flatnonzero(on_words >= threshold))
    return links


def read_links(line: str) -> tuple[set[Link], set[Link]]:
    """Read one sentence's gold links ``0-0 1?2`` as (sure, possible), each a set of (source, target).

    ``-`` marks a sure link, ``?`` a possible one; possible links include the sure ones. Words count from 0.

    Raises:
        InputError: an item is not of this form.
    """
    sure: set[Link] = set()
    possible: set[Link] = set()
    for item in line.split():
        match = LINK.fullmatch(item)
        if match is None:
            raise InputError(
                f"alignment link {item!r}, expected source-target such as 0-0 (sure) or 1?2 (possible), counted "
                f"from 0; mend the line {line.strip()!r}"
            )
        link = (int(match[1]), int(match[3]))
        possible.add(link)
        if match[2] == "-":
            sure.add(link)
    return sure, possible


def alignment_error_rate(predicted: Iterable[set[Link]], gold: Iterable[tuple[set[Link], set[Link]]]) -> AlignmentScore:
    """Compare links with what people aligned, over the counts of the whole corpus; Och & Ney (2003).

    With A predicted, S sure and P possible: ``AER = 1 - (|A∩S| + |A∩P|) / (|A| + |S|)``, precision ``|A∩P| / |A|``
    (0 where nothing was predicted), recall ``|A∩S| / |S|``.

    Args:
        predicted: one set of links per sentence.
        gold: (sure, possible) per sentence, as `read_links` gives them.

    Raises:
        InputError: the numbers of sentences differ, or no sentence has a sure link.
    """
    predictions, references = list(predicted), list(gold)
    if len(predictions) != len(references):
        raise InputError(
            f"{len(predictions)} predicted alignments and {len(references)} gold alignments, expected one gold line "
            "for each sentence; check that both are of the same test set, and that empty lines are kept"
        )
    pairs = [(links, sure, possible | sure) for links, (sure, possible) in zip(predictions, references, strict=True)]
    predicted_count = sum(len(links) for links, _, _ in pairs)
    sure_count = sum(len(sure) for _, sure, _ in pairs)
    if sure_count == 0:
        raise InputError(
            f"no sure link in {len(references)} gold alignments, expected at least 1; "
            "write sure links with '-', as in 0-0"
        )
    sure_hits = sum(len(links & sure) for links, sure, _ in pairs)
    possible_hits = sum(len(links & possible) for links, _, possible in pairs)
    return AlignmentScore(
        error_rate=1 - (sure_hits + possible_hits) / (predicted_count + sure_count),
        precision=possible_hits / predicted_count if predicted_count else 0.0,
        recall=sure_hits / sure_count,
    )
