"""Shortlists: which target pieces a source piece may bring, by how often the two were seen together."""

import io
import math
import os
import struct
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from s2s.errors import InputError
from s2s.storage import write_whole
from s2s.text.batching import ParallelIds, SentenceIds

__all__ = ["Shortlist"]

MOST_PAIRS = 100_000
MOST_PARTNERS = 1_000
# Of a zip archive: bytes of its end without a comment, of the mark of a larger one before it, of a list of two.
ZIP_END, ZIP64_MARK, MOST_LISTED = 22, 20, 1_000
ROWS_AT_ONCE = 10_000


@dataclass(frozen=True)
class Shortlist:
    """Few target pieces that are likely in the translation of a sentence, so that not all have to be scored.

    Args:
        frequent: the target pieces seen most often, which every sentence may use, (F,).
        partners: of every source piece the target pieces with the greatest Dice coefficient, best first, (V, K); -1
            where there are fewer.
    """

    frequent: np.ndarray
    partners: np.ndarray

    @classmethod
    def count(
        cls, pairs: ParallelIds, source_vocabulary: int, *, frequent: int = 200, partners: int = 100
    ) -> "Shortlist":
        """Count in how many sentence pairs pieces are found, alone and together.

        The Dice coefficient of two pieces is ``2 c(s, t) / (c(s) + c(t))`` (Dice 1945). Of more than 100,000 pairs, as
        many are taken, evenly spread.

        Args:
            pairs: training pairs.
            source_vocabulary: number of source pieces, V.
            frequent: F.
            partners: K.
        """
        rows = np.arange(len(pairs)) * max(1.0, len(pairs) / MOST_PAIRS)
        rows = rows[rows < len(pairs)].astype(np.int64)
        width = int(pairs.target.values.max()) + 1
        counted = [_count(pairs, rows[i : i + ROWS_AT_ONCE], width) for i in range(0, len(rows), ROWS_AT_ONCE)]
        keys, together = _merged(counted)
        source, target = keys // width, keys % width
        alone = (_in_sentences(pairs.source, rows, source_vocabulary), _in_sentences(pairs.target, rows, width))
        dice = 2 * together / (alone[0][source] + alone[1][target])
        order = np.lexsort((-dice, source))
        source, target = source[order], target[order]
        rank = np.arange(len(source)) - np.searchsorted(source, source)
        table = np.full((source_vocabulary, partners), -1, dtype=np.int32)
        kept = rank < partners
        table[source[kept], rank[kept]] = target[kept]
        return cls(np.argsort(-alone[1], kind="stable")[:frequent].astype(np.int32), table)

    @classmethod
    def joined(cls, shortlists: "Sequence[Shortlist]", partners: int) -> "Shortlist":
        """What any of several shortlists of one vocabulary has, with the best ``partners`` of each for a piece."""
        frequent = np.unique(np.concatenate([one.frequent for one in shortlists]))
        return cls(frequent, np.hstack([one.partners[:, :partners] for one in shortlists]))

    def words(self, sentence: Sequence[int], partners: int) -> np.ndarray:
        """The target pieces for a sentence, rising: those seen most and the best ``partners`` of each of its pieces."""
        found = np.union1d(self.frequent, self.partners[np.asarray(sentence), :partners])
        return found[found >= 0]

    def save(self, path: Path) -> None:
        """Write it as NumPy's .npz."""
        buffer = io.BytesIO()
        np.savez_compressed(buffer, frequent=self.frequent.astype(np.int32), partners=self.partners.astype(np.int32))
        write_whole(path, buffer.getvalue())

    @classmethod
    def load(cls, path: Path, *, source_vocabulary: int, target_vocabulary: int) -> "Shortlist":
        """Read what ``save`` wrote; of every array its header is read before memory is taken.

        Raises:
            InputError: the file is damaged, or of other vocabularies.
        """
        try:
            with path.open("rb") as file:
                _check_archive(file)
                with zipfile.ZipFile(file) as archive:
                    frequent = _read_array(archive, "frequent.npy", (target_vocabulary,))
                    partners = _read_array(archive, "partners.npy", (source_vocabulary, MOST_PARTNERS))
            if len(partners) != source_vocabulary or max(frequent.max(), partners.max()) >= target_vocabulary:
                raise ValueError("it is of other vocabularies")
            if min(frequent.min(), partners.min()) < -1:
                raise ValueError("a piece has a number below 0")
        except (ValueError, OSError, EOFError, KeyError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
            reason = " ".join(str(error).split())[:200]
            raise InputError(f"{path} is no shortlist of this run ({reason}); copy it again") from error
        return cls(frequent, partners)


def _check_archive(file: IO[bytes]) -> None:
    """Raise a ValueError for a zip archive that lists more than the two arrays, which its reader would hold at once."""
    file.seek(max(0, file.seek(0, os.SEEK_END) - ZIP_END))
    end = file.read()
    entries, listed = struct.unpack("<HI", end[10:16].ljust(6, b"\0"))
    file.seek(max(0, file.seek(0, os.SEEK_END) - ZIP_END - ZIP64_MARK))
    is_plain = end[:4] == b"PK\5\6" and end[20:] == b"\0\0" and file.read(4) != b"PK\6\7"
    if not is_plain or entries != 2 or listed > MOST_LISTED:
        raise ValueError("it is no archive of two arrays")


def _read_array(archive: zipfile.ZipFile, name: str, most: tuple[int, ...]) -> np.ndarray:
    """Read an array of whole numbers, no larger on any side than this, from what NumPy wrote."""
    if archive.getinfo(name).compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(f"{name} is packed in another way")
    with archive.open(name) as file:
        if np.lib.format.read_magic(file) != (1, 0):
            raise ValueError(f"{name} is in another format")
        shape, column_first, kind = np.lib.format.read_array_header_1_0(file)
        if kind not in (np.int32, np.int64) or column_first or len(shape) != len(most):
            raise ValueError(f"{name} has {kind} of {len(shape)} dimensions")
        if not all(0 < size <= limit for size, limit in zip(shape, most, strict=True)):
            raise ValueError(f"{name} has the shape {shape}, expected at most {most}")
        count = math.prod(shape)
        return np.frombuffer(file.read(kind.itemsize * count), dtype=kind, count=count).reshape(shape)


def _count(pairs: ParallelIds, rows: np.ndarray, width: int) -> tuple[np.ndarray, np.ndarray]:
    """In how many of these pairs two pieces are found together, by the key ``source * width + target``."""
    keys = [
        (np.unique(pairs.source[row]).astype(np.int64)[:, None] * width + np.unique(pairs.target[row])).ravel()
        for row in rows
    ]
    return np.unique(np.concatenate(keys), return_counts=True)


def _merged(counted: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """Sum counts of the same keys."""
    keys, places = np.unique(np.concatenate([keys for keys, _ in counted]), return_inverse=True)
    return keys, np.bincount(places, weights=np.concatenate([counts for _, counts in counted]))


def _in_sentences(side: SentenceIds, rows: np.ndarray, vocabulary: int) -> np.ndarray:
    """In how many of these sentences each piece is found: (V,)."""
    return np.bincount(np.concatenate([np.unique(side[row]) for row in rows]), minlength=vocabulary)
