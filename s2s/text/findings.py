"""What speaks against a pair, judged by what the corpus as a whole is like."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from s2s.text.measures import Measures
from s2s.text.scripts import LATIN, SCRIPTS

__all__ = ["CONDEMNING", "Norms", "Overlap", "condemned", "findings", "norms_of", "overlap"]

Mask = NDArray[np.bool_]

# Findings that a training pair is left out for, the first that is true being the reason.
CONDEMNING = ("not_utf8", "empty", "control", "swapped", "script", "copy", "length", "duplicate")

OWN_SHARE = 1 / 3  # of the lines of a file: a script of so many is its own
TOGETHER = (("Hiragana", "Katakana", "Han"), ("Hangul", "Han"))  # where the first is at home, the others are
FEW_LETTERS, FEW_LATIN_LETTERS = 6, 10  # that are too few to tell; Han, kana and Hangul count three each
MOST, NEARLY_ALL = 0.5, 0.8  # names and brands in Latin letters stand in text of every script
FEW_COPIED = 10  # letters; a name may be the same in both languages
RATIO, DEVIATIONS, LEAST_SPREAD = 4.0, 5.0, 1.0


@dataclass(frozen=True)
class Norms:
    """What a pair of the corpus is like.

    Args:
        own: the scripts of source and of target, as numbers in ``SCRIPTS``.
        ratio: target characters for each source character, the median; 1 where there is no pair.
        spread: of length differences in 68 of 100 pairs, over the square root of the mean length.
    """

    own: tuple[frozenset[int], frozenset[int]]
    ratio: float
    spread: float


@dataclass(frozen=True)
class Overlap:
    """Which pairs of one split stand in another, too.

    Args:
        masks: by what is shared, ``pairs``, ``sources`` or ``targets``: (N,).
        rows: of the first of the other split, where there is one: (N,).
    """

    masks: dict[str, Mask]
    rows: dict[str, NDArray[np.int64]]


def norms_of(splits: Sequence[Measures]) -> Norms:
    """Take the norms from all splits together, as a small one alone may be odd as a whole."""
    rows = [split.whole for split in splits]
    measured = [split.sizes[whole] for split, whole in zip(splits, rows, strict=True)]
    sizes = np.concatenate([np.zeros((0, 2)), *measured])
    own = []
    for side in (0, 1):
        clear = [whole & (split.share[:, side] > MOST) for split, whole in zip(splits, rows, strict=True)]
        main = [split.script[mask, side] for split, mask in zip(splits, clear, strict=True)]
        own.append(_own_scripts(np.concatenate([np.zeros(0, np.uint8), *main])))
    ratio = float(np.median(sizes[:, 1] / sizes[:, 0])) if len(sizes) else 1.0
    spread = float(np.quantile(_deviations(sizes, ratio), 0.6827)) if len(sizes) else 0.0
    return Norms((own[0], own[1]), ratio, max(spread, LEAST_SPREAD))


def _own_scripts(main: NDArray[np.uint8]) -> frozenset[int]:
    """The scripts at home in a file, given the main script of each line."""
    counts = np.bincount(main, minlength=len(SCRIPTS))
    own = {SCRIPTS[number] for number in np.flatnonzero((counts > 0) & (counts >= OWN_SHARE * counts.sum()))}
    for first, *others in TOGETHER:
        own |= set(others) if first in own else set()
    return frozenset(map(SCRIPTS.index, own))


def _deviations(sizes: NDArray[np.float64], ratio: float) -> NDArray[np.float64]:
    """How far lengths are apart, over what chance may make of it: (N, 2) -> (N,).

    Gale & Church (1993), "A Program for Aligning Sentences in Bilingual Corpora", section 3.1: the variance grows with
    the length, so that short sentences may differ much in ratio and long ones little.
    """
    expected = sizes[:, 0] * ratio
    return np.abs(sizes[:, 1] - expected) / np.sqrt(np.maximum((sizes[:, 1] + expected) / 2, 1))


def findings(split: Measures, norms: Norms) -> dict[str, Mask]:
    """Say of each pair what is true of it: name of the finding -> (N,).

    A side that cannot be read or is empty says nothing else of its pair.
    """
    whole = split.whole
    foreign = np.stack([_foreign(split, side, norms.own[side]) for side in (0, 1)], axis=1) & whole[:, None]
    crossed = [
        np.isin(split.script[:, side], list(norms.own[1 - side] - norms.own[side])) & (split.letters[:, side] > 0)
        for side in (0, 1)
    ]
    swapped = foreign.any(axis=1) & crossed[0] & crossed[1]
    source, target, pair = split.hashes.T
    said = _said_before(pair, whole)
    return {
        "not_utf8": split.unreadable.any(axis=1),
        "empty": ~split.unreadable.any(axis=1) & ~whole,
        "control": split.control.any(axis=1),
        "swapped": swapped,
        "script": foreign.any(axis=1) & ~swapped,
        "copy": (source == target) & (split.letters[:, 0] >= FEW_COPIED),
        "length": whole & ~swapped & _unlikely(split.sizes.astype(np.float64), norms),
        "duplicate": said,
        "several": _said_before(source, whole & ~said),
    }


def _foreign(split: Measures, side: int, own: frozenset[int]) -> Mask:
    """Whether a line is written in a script that is not at home in its file."""
    script, share, letters = split.script[:, side], split.share[:, side], split.letters[:, side]
    latin = script == LATIN
    clear = (share > np.where(latin, NEARLY_ALL, MOST)) & (letters >= np.where(latin, FEW_LATIN_LETTERS, FEW_LETTERS))
    return clear & ~np.isin(script, list(own)) & bool(own)


def _unlikely(sizes: NDArray[np.float64], norms: Norms) -> Mask:
    """Whether the lengths of a pair do not fit together, by their ratio and by what chance may make of it."""
    ratio = np.maximum(sizes[:, 1], 1) / np.maximum(sizes[:, 0] * norms.ratio, 1e-9)
    return (np.maximum(ratio, 1 / ratio) > RATIO) & (_deviations(sizes, norms.ratio) > DEVIATIONS * norms.spread)


def _said_before(hashes: NDArray[np.int64], among: Mask) -> Mask:
    """Whether an equal one stands before it, among some: (N,), (N,) -> (N,)."""
    rows = np.flatnonzero(among)
    _, first = np.unique(hashes[rows], return_index=True)
    before = among.copy()
    before[rows[first]] = False
    return before


def overlap(split: Measures, other: Measures) -> Overlap:
    """Find what one split shares with another; empty and unreadable sides are no text to share."""
    masks, rows = {}, {}
    for name, column in (("pairs", 2), ("sources", 0), ("targets", 1)):
        own, theirs = split.hashes[:, column], other.hashes[:, column]
        usable = other.whole if name == "pairs" else other.sizes[:, column] > 0
        places = np.flatnonzero(usable)
        known, first = np.unique(theirs[places], return_index=True)
        found = np.searchsorted(known, own).clip(max=max(len(known) - 1, 0))
        there = split.whole if name == "pairs" else split.sizes[:, column] > 0
        masks[name] = there & (known[found] == own) if len(known) else np.zeros(len(split), bool)
        rows[name] = places[first][found] if len(known) else np.zeros(len(split), np.int64)
    return Overlap(masks, rows)


def condemned(found: dict[str, Mask], shared: Mask) -> dict[str, Mask]:
    """Give each pair that training is better without the one reason that comes first.

    Args:
        found: what `findings` says.
        shared: whether the source of a pair is to be translated in another split: (N,).
    """
    rest, reasons = np.ones_like(shared), {}
    for name, mask in [*((name, found[name]) for name in CONDEMNING), ("overlap", shared)]:
        reasons[name] = mask & rest
        rest &= ~mask
    return reasons
