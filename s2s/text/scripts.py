"""What lines are made of: letters by script, characters that can be seen, and those that no text should hold."""

from dataclasses import dataclass
from functools import cache

import numpy as np
import regex
from numpy.typing import NDArray

__all__ = ["LATIN", "SCRIPTS", "Makeup", "first_control", "makeup"]

SCRIPTS = (
    *("other letters", "Latin", "Han", "Hiragana", "Katakana", "Hangul", "Cyrillic", "Greek", "Arabic", "Hebrew"),
    *("Devanagari", "Bengali", "Gurmukhi", "Gujarati", "Tamil", "Telugu", "Kannada", "Malayalam", "Sinhala", "Thai"),
    *("Lao", "Khmer", "Myanmar", "Tibetan", "Georgian", "Armenian", "Ethiopic"),
)
LATIN = SCRIPTS.index("Latin")
SEEN, UNSEEN, CONTROL = range(len(SCRIPTS), len(SCRIPTS) + 3)  # classes besides those of letters
CLASSES = len(SCRIPTS) + 3
# A character of these says about as much as three letters.
WEIGHT = np.array([3 if name in ("Han", "Hiragana", "Katakana", "Hangul") else 1 for name in SCRIPTS])
LAST = 0x33480  # behind it are no letters
# Tabs and blanks of any width are text; a line separator or the mark of bytes that were lost is none.
CONTROLS = r"(?V1)(?:[\p{Cc}--\t]|[\u2028\u2029\ufeff\ufffd]|\p{Noncharacter_Code_Point})"


@dataclass(frozen=True)
class Makeup:
    """What N lines are made of.

    Args:
        sizes: characters that can be seen, blanks not counted: (N,).
        letters: letters by script: (N, scripts), in the order of ``SCRIPTS``.
        control: whether there are control characters: (N,).
    """

    sizes: NDArray[np.int32]
    letters: NDArray[np.int64]
    control: NDArray[np.bool_]

    def weights(self) -> NDArray[np.int32]:
        """Letters of each line, those of Han, kana and Hangul as three each: (N,)."""
        weights: NDArray[np.int32] = (self.letters @ WEIGHT).astype(np.int32)
        return weights

    def main_scripts(self) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """The script with the most letters in each line, so weighted, and its share of them: (N,), (N,)."""
        weighted = self.letters * WEIGHT
        total = np.maximum(weighted.sum(axis=1), 1)
        return weighted.argmax(axis=1).astype(np.uint8), (weighted.max(axis=1) / total).astype(np.float32)


@cache
def _classes() -> NDArray[np.uint8]:
    """The class of every code point: (0x110000,)."""
    table = np.full(0x110000, SEEN, np.uint8)
    # A surrogate can be no part of a text.
    characters = "".join(chr(code) if not 0xD800 <= code < 0xE000 else " " for code in range(LAST))
    patterns = [(UNSEEN, r"[\s\p{Z}\p{Cf}]"), (SCRIPTS.index("other letters"), r"\p{L}")]
    patterns += [(number, rf"\p{{Script={name}}}") for number, name in enumerate(SCRIPTS) if number]
    for number, pattern in [*patterns, (CONTROL, CONTROLS)]:
        for match in regex.finditer(f"{pattern}+", characters):
            table[match.start() : match.end()] = number
    return table


def makeup(lines: list[str]) -> Makeup:
    """Count the characters of lines by their classes."""
    lengths = np.fromiter(map(len, lines), np.int64, len(lines))
    codes = np.frombuffer("".join(lines).encode("utf-32-le", "surrogatepass"), np.uint32)
    places = np.repeat(np.arange(len(lines)) * CLASSES, lengths) + _classes()[codes]
    counts = np.bincount(places, minlength=len(lines) * CLASSES).reshape(-1, CLASSES)
    return Makeup(
        sizes=counts[:, :UNSEEN].sum(axis=1).astype(np.int32),
        letters=counts[:, : len(SCRIPTS)],
        control=counts[:, CONTROL] > 0,
    )


def first_control(text: str) -> int:
    """The place of the first control character; 0 where there is none."""
    found = regex.search(CONTROLS, text)
    return found.start() if found else 0
