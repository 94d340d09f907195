"""Tokenised splits: text becomes ids once, in parallel, and the ids lie in files that are mapped into memory."""

import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np

from s2s.text.batching import ParallelIds, SentenceIds
from s2s.text.tokenizer import Tokenizer

if TYPE_CHECKING:
    from datasets import Dataset

__all__ = ["cores", "tokenise"]

PAIRS_AT_ONCE = 1 << 15  # that a process cuts; of sampled segmentations they follow from a seed of their own
TEXTS_AT_ONCE = 1000
SIDES, FILES = ("source", "target"), ("values", "offsets")
FORMAT = b"flat ids 1"  # part of the cache key: raise it when ids are written differently


def tokenise(
    dataset: "Dataset",
    source: Tokenizer,
    target: Tokenizer,
    *,
    sampling: float = 0.0,
    seed: str = "",
    processes: int | None = None,
) -> ParallelIds:
    """Cut every pair of a dataset into ids, EOS last; memory holds what is looked at.

    The same text under the same tokenizers is found in the cache, wherever it comes from. Sampled segmentations
    (``sampling`` above 0, see ``Tokenizer.encode``) follow from ``seed``, and are on the disk only while they are used.

    Args:
        dataset: pairs in the columns ``source`` and ``target``.
        source, target: tokenizers.
        sampling, seed: see above.
        processes: that share the work; None is one for each core.
    """
    import datasets

    tokenizers, cutter = (source, target), Cutter(dataset, source, target, sampling, seed)
    processes = min(cores() if processes is None else processes, -(-len(dataset) // PAIRS_AT_ONCE))
    cache = Path(datasets.config.HF_DATASETS_CACHE) / "s2s"
    cache.mkdir(parents=True, exist_ok=True)
    kept = None if sampling else cache / _key(dataset, source, target)
    if kept and kept.is_dir():
        return _mapped(kept, tokenizers)
    with TemporaryDirectory(dir=cache) as folder:
        written = Path(folder) / "ids"
        written.mkdir()
        _write(written, cutter.all(processes), tokenizers)
        if kept:
            try:
                os.replace(written, kept)
            except OSError:  # another process was faster
                if not kept.is_dir():
                    raise
        return _mapped(kept or written, tokenizers)  # what is mapped stays there when its name is gone


def cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True)
class Cutter:
    """Cuts the pairs of a dataset into ids, some thousand at a time; see ``tokenise``."""

    dataset: "Dataset"
    source: Tokenizer
    target: Tokenizer
    sampling: float
    seed: str

    def all(self, processes: int) -> Iterator[ParallelIds]:
        """The ids of all pairs, in order."""
        starts = range(0, len(self.dataset), PAIRS_AT_ONCE)
        if processes < 2:
            yield from map(self, starts)
            return
        with ProcessPoolExecutor(processes, initializer=_begin, initargs=(self,)) as pool:
            yield from pool.map(_cut, starts)

    def __call__(self, start: int) -> ParallelIds:
        """The ids of the pairs from this row on."""
        return ParallelIds(self._side("source", self.source, start), self._side("target", self.target, start))

    def _side(self, side: str, tokenizer: Tokenizer, start: int) -> SentenceIds:
        end = min(start + PAIRS_AT_ONCE, len(self.dataset))
        texts = self.dataset.select_columns([side])
        if self.sampling:
            seed = f"{self.seed} {side} {start}" if start else f"{self.seed} {side}"
            return SentenceIds.of(tokenizer.encode(texts[start:end][side], sampling=self.sampling, seed=seed))
        places = range(start, end, TEXTS_AT_ONCE)
        return SentenceIds.joined(
            [SentenceIds.of(tokenizer.encode(texts[i : min(i + TEXTS_AT_ONCE, end)][side])) for i in places]
        )


_cutter: Cutter | None = None


def _begin(cutter: Cutter) -> None:
    """Give a process what it works with, which is then not sent with every piece of work."""
    global _cutter
    _cutter = cutter


def _cut(start: int) -> ParallelIds:
    """Work of a process."""
    assert _cutter is not None
    return _cutter(start)


def _key(dataset: "Dataset", source: Tokenizer, target: Tokenizer) -> str:
    """What ids depend on: the text itself, both tokenizers, and the direction of writing."""
    order = b"backwards" if target.backwards else b""
    parts = (FORMAT, source.model, target.model, order, *_digests(dataset))
    return hashlib.blake2b(b"".join(hashlib.blake2b(part).digest() for part in parts), digest_size=16).hexdigest()


def _digests(dataset: "Dataset") -> list[bytes]:
    """Of each side the digest of its text and that of its lengths, which do not depend on how a table is stored."""
    digests = {side: (hashlib.blake2b(), hashlib.blake2b()) for side in SIDES}
    for table in dataset.select_columns(list(SIDES)).with_format("arrow").iter(PAIRS_AT_ONCE):
        for side, (text, lengths) in digests.items():
            for chunk in table.column(side).chunks:
                _, offsets, values = chunk.buffers()
                ends = np.frombuffer(offsets, np.int32)[chunk.offset : chunk.offset + len(chunk) + 1]
                text.update(memoryview(values)[ends[0] : ends[-1]] if values else b"")
                lengths.update(np.diff(ends).tobytes())
    return [digest.digest() for of_side in digests.values() for digest in of_side]


def _dtype(tokenizer: Tokenizer) -> type[np.unsignedinteger]:
    """The narrowest numbers that hold the ids of a tokenizer."""
    return np.uint16 if len(tokenizer) <= 1 << 16 else np.uint32


def _write(folder: Path, parts: Iterator[ParallelIds], tokenizers: tuple[Tokenizer, Tokenizer]) -> None:
    """Write ids one after another, each side flat, and beside them where each sentence ends."""
    ends = [0, 0]
    with ExitStack() as stack:
        files = [[stack.enter_context((folder / f"{side}.{what}").open("wb")) for what in FILES] for side in SIDES]
        for _, offsets in files:
            offsets.write(np.zeros(1, np.int64).tobytes())
        for part in parts:
            for place, side in enumerate((part.source, part.target)):
                values, offsets = files[place]
                values.write(side.values.astype(_dtype(tokenizers[place])).tobytes())
                offsets.write((side.offsets[1:] + ends[place]).tobytes())
                ends[place] += len(side.values)


def _mapped(folder: Path, tokenizers: tuple[Tokenizer, Tokenizer]) -> ParallelIds:
    """Map what was written into memory, to be read only."""

    def mapped(name: str, dtype: type[np.integer]) -> np.ndarray:
        return np.asarray(np.memmap(folder / name, dtype, mode="r"))

    return ParallelIds(
        *(
            SentenceIds(mapped(f"{side}.values", _dtype(tokenizer)), mapped(f"{side}.offsets", np.int64))
            for side, tokenizer in zip(SIDES, tokenizers, strict=True)
        )
    )
