"""From attention between words to links, and how far these are from what people aligned."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from s2s.errors import InputError
from s2s.report.metrics import Score
from s2s.report.sheet import View
from s2s.report.words import EOS_PIECE

__all__ = [
    "AlignmentScore",
    "Gold",
    "Link",
    "alignment_error_rate",
    "check_gold",
    "hard_links",
    "pharaoh",
    "read_gold",
    "read_links",
    "read_pharaoh",
    "threshold_links",
]

Link = tuple[int, int]
Gold = tuple[set[Link], set[Link]]

LINK = re.compile(r"([0-9]+)([-?p])([0-9]+)")
NAACL_LINE = re.compile(r"([0-9]+)\s+([0-9]+)\s+([0-9]+)(?:\s+([SP]))?")
ROUNDING = 1e-9


@dataclass(frozen=True, kw_only=True)
class AlignmentScore(Score):
    """Alignment error rate beside the precision and recall it is made of, each in percent."""

    precision: float
    recall: float

    def as_dict(self) -> dict[str, float | str]:
        """Value, precision, recall and signature, in JSON's types."""
        return {"value": self.value, "precision": self.precision, "recall": self.recall, "signature": self.signature}


def hard_links(view: View, *, share: float = 0.5) -> set[Link]:
    """Decide on links (source index, target index) between words.

    Each target word is linked to the source word it attends to most and to every other with at least ``share`` of that
    maximum. Half is the default because characters of one Chinese piece divide its weight among them: a piece of two
    characters that wins over a neighbour of one must not lose its links by being longer. ``</s>`` is no word and is
    never linked, but its weight counts as a maximum: what looks at it has no counterpart.

    Raises:
        InputError: ``share`` is not above 0 and at most 1.
    """
    if not 0 < share <= 1:
        raise InputError(f"share is {share}, expected a number above 0 and at most 1; 0.5 is the default")
    weights = _between_words(view)
    most = view.weights[: len(weights)].max(axis=1, keepdims=True, initial=0)
    # Shares of one piece are equal but for rounding.
    return _links((weights >= share * most * (1 - ROUNDING)) & (most > 0))


def threshold_links(view: View, *, threshold: float) -> set[Link]:
    """Link every target word to every source word it gives a weight of at least ``threshold``; ``</s>`` is no word.

    Raises:
        InputError: ``threshold`` is not above 0 and at most 1.
    """
    if not 0 < threshold <= 1:
        raise InputError(f"threshold is {threshold}, expected a weight above 0 and at most 1, such as 0.2")
    return _links(_between_words(view) >= threshold * (1 - ROUNDING))


def _between_words(view: View) -> NDArray[np.floating[Any]]:
    """The weights without those of ``</s>``, which ends a side: (T, S) -> (T', S')."""
    target_size, source_size = (len(side) - (side[-1:] == (EOS_PIECE,)) for side in (view.target, view.source))
    return view.weights[:target_size, :source_size]


def _links(linked: NDArray[np.bool_]) -> set[Link]:
    """Read links (source, target) off a matrix (T, S)."""
    return {(int(source), int(target)) for target, source in zip(*linked.nonzero(), strict=True)}


def pharaoh(links: Iterable[Link]) -> str:
    """Write links in the form most aligners share, ``0-0 1-2``: source-target, from 0, by source and then by target."""
    return " ".join(f"{source}-{target}" for source, target in sorted(links))


def read_links(line: str) -> Gold:
    """Read one sentence's gold links ``0-0 1?2`` as (sure, possible), each a set of (source, target).

    ``-`` marks a sure link, ``?`` or ``p`` a possible one; possible links include the sure ones. Words count from 0.

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


def read_pharaoh(lines: Iterable[str], name: str) -> list[Gold]:
    """Read a file of links ``0-0 1?2``, a line per sentence, as `read_links` reads each.

    Args:
        lines: the file's.
        name: of the file, for errors.

    Raises:
        InputError: a link is malformed; the message says in which line.
    """
    links = []
    for number, line in enumerate(lines, 1):
        try:
            links.append(read_links(line))
        except InputError as error:
            raise InputError(f"{name}, line {number}: {error}") from None
    return links


def read_gold(lines: Iterable[str], name: str, *, sentences: int) -> list[Gold]:
    """Read gold links in either form, as (sure, possible) per sentence.

    The first line that is not empty tells Pharaoh's form, which `read_pharaoh` reads, from that of the NAACL workshop:
    ``sentence source target`` and ``S`` or ``P``, sure where neither is given, a line per link, sentences and words
    counted from 1 (Mihalcea & Pedersen 2003). There a sentence without links has no line.

    Args:
        lines: the file's.
        name: of the file, for errors.
        sentences: how many there are.

    Raises:
        InputError: a line is malformed, or links are not of this many sentences.
    """
    lines = list(lines)
    first = next((line for line in lines if line.strip()), "")
    if re.match(r"\s*[0-9]+(?:\s|$)", first):
        return _read_naacl(lines, name, sentences)
    gold = read_pharaoh(lines, name)
    if len(gold) != sentences:
        raise InputError(
            f"{name} has {len(gold)} lines of gold links, expected one for each of {sentences} sentences; check that "
            "both are of the same test set, and that empty lines are kept"
        )
    return gold


def _read_naacl(lines: Iterable[str], name: str, sentences: int) -> list[Gold]:
    """Read one link per line, ``1 2 2 P``."""
    gold: list[Gold] = [(set(), set()) for _ in range(sentences)]
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        match = NAACL_LINE.fullmatch(line.strip())
        sentence, source, target = map(int, match.groups()[:3]) if match else (0, 0, 0)
        if match is None or not (sentence and source and target):
            raise InputError(
                f"{name}, line {number}: {line.strip()!r}, expected the numbers of sentence, source word and target "
                "word, from 1, and S (sure) or P (possible), such as 1 2 2 S; mend the line"
            )
        if sentence > sentences:
            raise InputError(
                f"{name}, line {number}: a link of sentence {sentence}, expected 1 to {sentences}; check that both are "
                "of the same test set"
            )
        sure, possible = gold[sentence - 1]
        possible.add((source - 1, target - 1))
        if match[4] != "P":
            sure.add((source - 1, target - 1))
    return gold


def check_gold(gold: Iterable[Gold], sizes: Iterable[tuple[int, int]], name: str) -> None:
    """Refuse gold links of words that a sentence does not have, as where its words were cut in another way.

    Args:
        gold: (sure, possible) per sentence.
        sizes: words of the source and words of the target, per sentence.
        name: of the file, for errors.

    Raises:
        InputError: a link leads beyond the last word.
    """
    for number, ((sure, possible), size) in enumerate(zip(gold, sizes, strict=True), 1):
        beyond = [link for link in sure | possible if link[0] >= size[0] or link[1] >= size[1]]
        if beyond:
            raise InputError(
                f"{name}, sentence {number}: link {pharaoh([min(beyond)])}, counted from 0, but {size[0]} source words "
                f"and {size[1]} target words; align words as s2s counts them: a Chinese character and a punctuation "
                "mark are a word each"
            )


def alignment_error_rate(predicted: Iterable[set[Link]], gold: Iterable[Gold]) -> AlignmentScore:
    """Compare links with what people aligned, over the counts of the whole corpus; Och & Ney (2003).

    With A predicted, S sure and P possible: ``AER = 1 - (|A∩S| + |A∩P|) / (|A| + |S|)``, precision ``|A∩P| / |A|``
    (0 where nothing was predicted), recall ``|A∩S| / |S|``, each in percent.

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
    precision = 100 * possible_hits / predicted_count if predicted_count else 0.0
    recall = 100 * sure_hits / sure_count
    return AlignmentScore(
        name="AER",
        value=100 * (1 - (sure_hits + possible_hits) / (predicted_count + sure_count)),
        signature=f"precision:{precision:.1f}|recall:{recall:.1f}|sentences:{len(pairs)}|words",
        precision=precision,
        recall=recall,
    )
