"""What is remembered of the pairs of a split: sixty bytes for each, however long it is."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from s2s.text.lenient import Line
from s2s.text.scripts import SCRIPTS, makeup

__all__ = ["Measures", "is_line", "measure"]

CHUNK_PAIRS, CHUNK_CHARACTERS = 2_000, 1 << 20  # that are measured together


@dataclass(frozen=True, kw_only=True)
class Measures:
    """Numbers for the N pairs of a split, in columns for source and target.

    Args:
        hashes: of source, target and pair, outer blanks left out; equal for equal texts: (N, 3).
        sizes: characters that can be seen, without blanks: (N, 2).
        letters: how many, those of Han, kana and Hangul as three each: (N, 2).
        script: number in ``SCRIPTS`` of the script with the most of them: (N, 2).
        share: of that script: (N, 2).
        unreadable: whether a side is no UTF-8, which is then nothing but that: (N, 2).
        control: whether there are control characters in it: (N, 2).
        unwritable: whether it cannot be a line of a text file: (N, 2).
        script_letters: letters by script, without weights: (2, scripts).
    """

    hashes: NDArray[np.int64]
    sizes: NDArray[np.int32]
    letters: NDArray[np.int32]
    script: NDArray[np.uint8]
    share: NDArray[np.float32]
    unreadable: NDArray[np.bool_]
    control: NDArray[np.bool_]
    unwritable: NDArray[np.bool_]
    script_letters: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.sizes)

    @property
    def whole(self) -> NDArray[np.bool_]:
        """Whether both sides can be read and hold something: (N,)."""
        whole: NDArray[np.bool_] = np.all([*(~self.unreadable).T, *(self.sizes > 0).T], axis=0)
        return whole


def measure(pairs: Iterable[tuple[Line, Line]]) -> Measures:
    """Measure pairs as they come."""
    parts = [_measure_chunk(chunk) for chunk in _chunks(pairs)] or [_measure_chunk([])]
    names = [field.name for field in fields(Measures)]
    joined: dict[str, Any] = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    joined["script_letters"] = np.sum([part.script_letters for part in parts], axis=0)
    return Measures(**joined)


def is_line(text: str) -> bool:
    """Whether a text that is written as a line of a file is read again as it was."""
    return "\n" not in text and not text.endswith("\r") and not text.startswith("\ufeff")


def _chunks(pairs: Iterable[tuple[Line, Line]]) -> Iterator[list[tuple[Line, Line]]]:
    """Group pairs, few where they are long."""
    chunk, size = [], 0
    for pair in pairs:
        chunk.append(pair)
        size += len(pair[0]) + len(pair[1])
        if len(chunk) == CHUNK_PAIRS or size > CHUNK_CHARACTERS:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _measure_chunk(pairs: list[tuple[Line, Line]]) -> Measures:
    """Measure pairs together, in a few passes over their characters."""
    unreadable = np.array([[isinstance(line, bytes) for line in pair] for pair in pairs], bool).reshape(-1, 2)
    texts = [["" if isinstance(pair[side], bytes) else str(pair[side]) for pair in pairs] for side in (0, 1)]
    sides = [makeup(of_side) for of_side in texts]
    bare = [tuple(line.strip() for line in pair) for pair in zip(*texts, strict=True)]
    hashes = [(hash(source), hash(target), hash((source, target))) for source, target in bare]
    control = np.stack([side.control for side in sides], axis=1)
    scripts, shares = zip(*(side.main_scripts() for side in sides), strict=True)
    unwritable = np.zeros_like(control)
    for row, side in np.argwhere(control):
        unwritable[row, side] = not is_line(texts[side][row])
    return Measures(
        hashes=np.array(hashes, np.int64).reshape(-1, 3),
        sizes=np.stack([side.sizes for side in sides], axis=1),
        letters=np.stack([side.weights() for side in sides], axis=1),
        script=np.stack(scripts, axis=1),
        share=np.stack(shares, axis=1),
        unreadable=unreadable,
        control=control,
        unwritable=unwritable,
        script_letters=np.stack([side.letters.sum(axis=0) for side in sides]).reshape(2, len(SCRIPTS)),
    )
