"""From attention between pieces to attention between words."""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import regex
from numpy.typing import NDArray

from s2s.errors import InputError
from s2s.report.sheet import View

__all__ = ["EOS_PIECE", "WORD", "merge_pieces", "spread_links", "words"]

BLANK = "▁"
EOS_PIECE = "</s>"
# A letter, a digit or a mark on one; marks never end a word. Soft hyphens and joiners stand inside words unseen.
LETTER = r"[\p{L}\p{N}\p{M}_--[\p{Han}\p{Hiragana}\p{Katakana}]]"
KEYCAP = r"[0-9#*]\ufe0f?\u20e3"
LETTERS = rf"{LETTER}(?:(?!{KEYCAP})[{LETTER}\u00ad\u200c\u200d])*+"
WORD = regex.compile(
    rf"{KEYCAP}"
    r"|\p{Han}\p{M}*+"
    r"|[\p{Hiragana}ー][\p{Hiragana}\p{M}ー]*+"
    r"|[\p{Katakana}ーｰﾞﾟ][\p{Katakana}\p{M}ーｰﾞﾟ]*+"
    rf"|{LETTERS}(?:['’-]{LETTERS})*+"
    r"|(?![\s\p{Cc}\p{Cf}])\X",
    regex.VERSION1,
)


def words(text: str) -> list[tuple[int, int]]:
    """Find the words of a text as spans ``(start, end)`` of characters.

    Every Chinese character is a word, and so is every punctuation mark and every emoji, however many characters it is
    made of; letters and digits with their marks are one, those joined by an apostrophe or a hyphen too. Hiragana and
    katakana are a word per run, Thai and other scripts without blanks a word per phrase.
    """
    return [match.span() for match in WORD.finditer(text)]


def merge_pieces(pieces: View) -> View:
    """Bring attention between pieces to attention between words: (T, S) -> (T', S').

    Source pieces are summed into their word, target pieces are averaged: Koehn & Knowles (2017), section 3.5. A source
    piece that covers several words gives each the share of its characters; a target piece that covers several counts
    for each of them. Rows keep summing to one. Log-probabilities of target pieces are summed into their words, shared
    out like source pieces, so that their sum stays what it was.

    Args:
        pieces: in whose labels ``▁`` stands for a blank; a last ``</s>`` stays a word of its own.

    Raises:
        InputError: there is no word on one side.
    """
    source, source_cover = _cover(pieces.source, "source")
    target, target_cover = _cover(pieces.target, "target")
    share = source_cover / source_cover.sum(axis=1, keepdims=True)
    touched = (target_cover > 0).astype(np.float64)
    mean = touched / touched.sum(axis=0)
    of_words = np.array(pieces.log_probs) @ (target_cover / target_cover.sum(axis=1, keepdims=True))

    def merged(matrix: NDArray[Any]) -> NDArray[np.float64]:
        between: NDArray[np.float64] = mean.T @ matrix.astype(np.float64) @ share
        return between

    return View(
        source=tuple(source),
        target=tuple(target),
        weights=merged(pieces.weights),
        log_probs=tuple(of_words.tolist()),
        parts={name: merged(matrix) for name, matrix in pieces.parts.items()},
    )


def spread_links(links: Iterable[tuple[int, int]], source: Sequence[str], target: Sequence[str]) -> NDArray[np.float64]:
    """Bring links between words to weights between pieces, (T, S), which `merge_pieces` brings back.

    A target word spreads one over the source words it is linked to, each of them spreads its share over its pieces by
    their characters, and a target piece has the mean of its words by characters. Rows sum to one: a target word that
    is linked to none is linked to the last source word, ``</s>``.

    Args:
        links: of (source word, target word), counted from 0.
        source, target: pieces with a last ``</s>``.
    """
    source_words, source_cover = _cover(source, "source")
    target_words, target_cover = _cover(target, "target")
    linked = np.zeros((len(target_words), len(source_words)))
    for source_word, target_word in links:
        linked[target_word, source_word] = 1
    linked[~linked.any(axis=1), -1] = 1
    linked /= linked.sum(axis=1, keepdims=True)
    of_words = target_cover / target_cover.sum(axis=1, keepdims=True)
    between: NDArray[np.float64] = of_words @ linked @ (source_cover / source_cover.sum(axis=0)).T
    return between


def _cover(tokens: Sequence[str], side: str) -> tuple[list[str], NDArray[np.float64]]:
    """Count the characters each piece gives each word: P pieces -> (words, (P, W)).

    A piece of nothing but blanks goes whole to the word after it, or to the last word. No row and no column is empty.
    Where several sentences stand in a line, each with its ``</s>``, no word goes on from one to the next.
    """
    ends = [place + 1 for place, token in enumerate(tokens[:-1]) if token == EOS_PIECE]
    if not ends:
        return _cover_of_one(tokens, side)
    sentences = [_cover_of_one(tokens[start:end], side) for start, end in pairwise([0, *ends, len(tokens)])]
    cover = np.zeros((len(tokens), sum(len(found) for found, _ in sentences)))
    row = column = 0
    for found, own in sentences:
        cover[row : row + len(own), column : column + len(found)] = own
        row, column = row + len(own), column + len(found)
    return [word for found, _ in sentences for word in found], cover


def _cover_of_one(tokens: Sequence[str], side: str) -> tuple[list[str], NDArray[np.float64]]:
    """The same of one sentence."""
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
