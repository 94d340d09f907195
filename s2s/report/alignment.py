"""From attention over pieces to word alignment, and how far that is from what people aligned."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from s2s.errors import InputError

__all__ = [
    "WORD",
    "AlignmentScore",
    "WordAttention",
    "alignment_error_rate",
    "hard_links",
    "merge_pieces",
    "read_links",
    "words",
]

Link = tuple[int, int]

BLANK = "▁"
EOS_PIECE = "</s>"
WORD = re.compile(
    r"[\u3400-\u9fff\uf900-\ufaff]"
    r"|[^\W\u3400-\u9fff\uf900-\ufaff]+(?:['’-][^\W\u3400-\u9fff\uf900-\ufaff]+)*"
    r"|[^\w\s]"
)
LINK = re.compile(r"([0-9]+)([-?])([0-9]+)")


@dataclass(frozen=True)
class WordAttention:
    """Attention between words: ``weights (T', S')``, T' target words by S' source words, with the words themselves.

    A sentence end that was attended to stays in it as the last word, ``</s>``.
    """

    weights: NDArray[np.float64]
    source_words: list[str]
    target_words: list[str]


@dataclass(frozen=True)
class AlignmentScore:
    """Alignment error rate, precision and recall, each a fraction from 0 to 1."""

    error_rate: float
    precision: float
    recall: float

    def __str__(self) -> str:
        return f"AER = {self.error_rate:.3f} (precision {self.precision:.3f}, recall {self.recall:.3f})"


def words(text: str) -> list[tuple[int, int]]:
    """Find the words of a text as spans ``(start, end)`` of characters.

    Every Chinese character is a word, and so is every punctuation mark; letters and digits joined by an apostrophe or
    a hyphen are one.
    """
    return [match.span() for match in WORD.finditer(text)]


def merge_pieces(attention: NDArray[Any], source_tokens: Sequence[str], target_tokens: Sequence[str]) -> WordAttention:
    """Bring attention between pieces to attention between words: (T, S) -> (T', S').

    Source pieces are summed into their word, target pieces are averaged: Koehn & Knowles (2017), section 3.5. A source
    piece that covers several words gives each the share of its characters; a target piece that covers several counts
    for each of them. Rows keep summing to one.

    Args:
        attention: (T, S), one row per target piece.
        source_tokens: S pieces in which ``▁`` stands for a blank; a last ``</s>`` stays a word of its own.
        target_tokens: T pieces, likewise.

    Raises:
        InputError: matrix and pieces differ in number, or there is no word on one side.
    """
    matrix = np.asarray(attention, dtype=np.float64)
    if matrix.shape != (len(target_tokens), len(source_tokens)):
        raise InputError(
            f"attention has shape {matrix.shape}, expected (target, source) = "
            f"{(len(target_tokens), len(source_tokens))} for these pieces; "
            "pass the matrix and the pieces of one sentence"
        )
    source_words, source_cover = _cover(source_tokens, "source")
    target_words, target_cover = _cover(target_tokens, "target")
    share = source_cover / source_cover.sum(axis=1, keepdims=True)
    touched = (target_cover > 0).astype(np.float64)
    mean = touched / touched.sum(axis=0)
    return WordAttention(mean.T @ matrix @ share, source_words, target_words)


def hard_links(attention: WordAttention, *, share: float = 0.5) -> set[Link]:
    """Decide on links (source index, target index) between words; ``</s>`` is no word, so its weight is left out.

    Each target word is linked to the source word it attends to most and to every other with at least ``share`` of that
    maximum. Half is the default because characters of one Chinese piece divide its weight among them: a piece of two
    characters that wins over a neighbour of one must not lose its links by being longer.

    Raises:
        InputError: ``share`` is not above 0 and at most 1.
    """
    if not 0 < share <= 1:
        raise InputError(f"share is {share}, expected a number above 0 and at most 1; 0.5 is the default")
    source_size = len(attention.source_words) - (attention.source_words[-1] == EOS_PIECE)
    links: set[Link] = set()
    for target, (word, row) in enumerate(zip(attention.target_words, attention.weights, strict=True)):
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


def _cover(tokens: Sequence[str], side: str) -> tuple[list[str], NDArray[np.float64]]:
    """Count the characters each piece gives each word: P pieces -> (words, (P, W)).

    A piece of nothing but blanks goes whole to the word after it, or to the last word. No row and no column is empty.
    """
    has_eos = bool(tokens) and tokens[-1] == EOS_PIECE
    pieces = [token.replace(BLANK, " ") for token in (tokens[:-1] if has_eos else tokens)]
    text = "".join(pieces)
    spans = words(text)
    found = [text[start:end] for start, end in spans] + [EOS_PIECE] * has_eos
    if not found:
        raise InputError(
            f"no word in the {side} pieces {list(tokens)}, expected at least one; leave out empty sentences"
        )
    cover = np.zeros((len(tokens), len(found)))
    end = 0
    for index, piece in enumerate(pieces):
        start, end = end, end + len(piece)
        for word, (word_start, word_end) in enumerate(spans):
            cover[index, word] = max(0, min(end, word_end) - max(start, word_start))
        if not cover[index].any():
            following = sum(word_end <= start for _, word_end in spans)
            cover[index, min(following, len(found) - 1)] = 1
    if has_eos:
        cover[-1, -1] = 1
    return found, cover
