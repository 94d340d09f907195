"""Sentences of ids, kept flat, and batches of similar length cut from them.

Shapes: B sentences, L length; padding on the right with PAD = 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np
import torch
from torch import Tensor

from s2s.errors import InputError

__all__ = ["Batch", "ParallelIds", "SentenceIds", "Sequences", "collate", "padding_share", "plan_batches", "sent"]


def sent(tensor: Tensor, device: torch.device) -> Tensor:
    """A tensor of the CPU on a device, which is not waited for: a GPU copies it from pinned memory in its own time."""
    if device.type == "cuda" and tensor.device.type == "cpu":
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)


ROWS_AT_ONCE = 1 << 17  # of what may be longer than memory
LONGEST_SORTED = (1 << 16) - 1  # sentences that are longer than this are sorted as if they had this length


@dataclass(frozen=True)
class Sequences:
    """Padded sentences: ``ids`` (B, L) and ``lengths`` (B,), both int64; EOS ends each, so no length is zero.

    Lengths are on the CPU wherever the ids are: what follows from them is worked out there, and no device is asked.
    """

    ids: Tensor
    lengths: Tensor

    @property
    def mask(self) -> Tensor:
        """True on real tokens, (B, L), where the ids are."""
        return sent(self._real(), self.ids.device)

    @property
    def places(self) -> Tensor:
        """Where the real tokens stand in ``ids.flatten()``, one after another, (tokens,)."""
        return sent(self._real().flatten().nonzero()[:, 0], self.ids.device)

    def _real(self) -> Tensor:
        """The mask, on the CPU."""
        return torch.arange(self.ids.shape[1]) < self.lengths[:, None]

    def to(self, device: torch.device) -> "Sequences":
        """Copy the ids to a device, without waiting for it."""
        return Sequences(sent(self.ids, device), self.lengths)


@dataclass(frozen=True)
class Batch:
    """Sentences that are worked on together; ``rows[b]`` is the place of sentence b in the input."""

    source: Sequences
    target: Sequences | None
    rows: tuple[int, ...]

    @property
    def target_tokens(self) -> int:
        """Target pieces and end marks; padding and start marks are not counted."""
        return 0 if self.target is None else int(self.target.lengths.sum())

    def to(self, device: torch.device) -> "Batch":
        """Copy to a device."""
        target = None if self.target is None else self.target.to(device)
        return replace(self, source=self.source.to(device), target=target)


@dataclass(frozen=True)
class SentenceIds:
    """Many sentences in one flat array: sentence i is ``values[offsets[i]:offsets[i + 1]]``."""

    values: np.ndarray
    offsets: np.ndarray

    @classmethod
    def of(cls, sentences: Sequence[Sequence[int]]) -> "SentenceIds":
        """Flatten lists of ids."""
        lengths = np.fromiter((len(sentence) for sentence in sentences), np.int64, len(sentences))
        values = np.fromiter(chain.from_iterable(sentences), np.int32, int(lengths.sum()))
        return cls(values, np.concatenate([[0], lengths.cumsum()]))

    @classmethod
    def joined(cls, parts: "Sequence[SentenceIds]") -> "SentenceIds":
        """Put some after another."""
        values = [np.zeros(0, np.int32), *(part.values for part in parts)]
        lengths = [np.zeros(1, np.int64), *(part.lengths for part in parts)]
        return cls(np.concatenate(values), np.concatenate(lengths).cumsum())

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, row: int) -> np.ndarray:
        return self.values[self.offsets[row] : self.offsets[row + 1]]

    @property
    def lengths(self) -> np.ndarray:
        """Ids per sentence, EOS counted."""
        return np.diff(self.offsets)

    def lengths_of(self, rows: np.ndarray) -> np.ndarray:
        """Ids of these sentences, EOS counted, as int32; takes room for these rows alone."""
        found = np.empty(len(rows), np.int32)
        for start in range(0, len(rows), ROWS_AT_ONCE):
            some = rows[start : start + ROWS_AT_ONCE]
            found[start : start + ROWS_AT_ONCE] = self.offsets[some + 1] - self.offsets[some]
        return found


@dataclass(frozen=True)
class ParallelIds:
    """The two sides of a tokenised split, row by row."""

    source: SentenceIds
    target: SentenceIds

    @classmethod
    def joined(cls, parts: "Sequence[ParallelIds]") -> "ParallelIds":
        """Put some after another."""
        return cls(
            SentenceIds.joined([part.source for part in parts]), SentenceIds.joined([part.target for part in parts])
        )

    def __len__(self) -> int:
        return len(self.source)

    def batch(self, rows: Sequence[int]) -> Batch:
        """Collate the pairs of these rows."""
        return Batch(
            source=collate([self.source[row] for row in rows]),
            target=collate([self.target[row] for row in rows]),
            rows=tuple(int(row) for row in rows),
        )

    def usable(self, longest: int, *, with_source: bool = True) -> tuple[np.ndarray, int, int]:
        """Find the pairs to train on: rows with two sides of 1 to ``longest`` pieces, EOS not counted.

        Args:
            longest: see above.
            with_source: whether the source must have pieces, too.

        Returns:
            the rows, the number of pairs left out for an empty side, the number left out for their length.
        """
        found, empty, over_long = [np.zeros(0, np.int32)], 0, 0
        for start in range(0, len(self), ROWS_AT_ONCE):
            rows = np.arange(start, min(start + ROWS_AT_ONCE, len(self)), dtype=np.int32)
            source, target = self.source.lengths_of(rows) - 1, self.target.lengths_of(rows) - 1
            is_empty = (np.minimum(source, target) if with_source else target) == 0
            is_over_long = ~is_empty & (np.maximum(source, target) > longest)
            found.append(rows[~is_empty & ~is_over_long])
            empty, over_long = empty + int(is_empty.sum()), over_long + int(is_over_long.sum())
        return np.concatenate(found), empty, over_long


def collate(sentences: Sequence[np.ndarray] | Sequence[Sequence[int]]) -> Sequences:
    """Pad sentences on the right: B sentences of ids -> Sequences."""
    lengths = torch.tensor([len(sentence) for sentence in sentences], dtype=torch.int64)
    ids = np.zeros((len(sentences), int(lengths.max())), dtype=np.int64)
    for row, sentence in enumerate(sentences):
        ids[row, : len(sentence)] = np.asarray(sentence)
    return Sequences(torch.from_numpy(ids), lengths)


def plan_batches(
    source_lengths: np.ndarray,
    target_lengths: np.ndarray,
    *,
    tokens: int,
    sentences: int | None = None,
    shuffle: np.random.Generator | None = None,
) -> list[np.ndarray]:
    """Cut rows into batches of similar length; every row is in exactly one.

    Rows are sorted by target and source length, cut where a batch would pass its budget, and the batches shuffled.
    Rows of equal lengths are shuffled first, so that every epoch has batches of its own.

    Args:
        source_lengths: tokens of each source, padding not counted.
        target_lengths: tokens of each target.
        tokens: the most tokens of a batch on its longer side, padding counted; a longer row is a batch alone.
        sentences: the most rows of a batch; None for no such bound.
        shuffle: random generator; None keeps the order by length.
    """
    for name, value in (("tokens", tokens), ("sentences", sentences)):
        if value is not None and value < 1:
            raise InputError(
                f"a batch of {value} {name} holds nothing; set training.batch_{name} (or batch_size) to 1 or more"
            )
    order = np.arange(len(source_lengths), dtype=np.int32)
    if shuffle is not None:
        shuffle.shuffle(order)
    order = order[_by_length(source_lengths, target_lengths, order)]
    batches: list[np.ndarray] = []
    start, end, widest = 0, 0, 0
    for first in range(0, len(order), ROWS_AT_ONCE):
        some = order[first : first + ROWS_AT_ONCE]
        for length in np.maximum(source_lengths[some], target_lengths[some]).tolist():
            widest = max(widest, length)
            if end > start and (widest * (end - start + 1) > tokens or end - start == sentences):
                batches.append(order[start:end])
                start, widest = end, length
            end += 1
    if len(order):
        batches.append(order[start:])
    if shuffle is not None:
        batches = [batches[index] for index in shuffle.permutation(len(batches))]
    return batches


def _by_length(source_lengths: np.ndarray, target_lengths: np.ndarray, order: np.ndarray) -> np.ndarray:
    """The places of ``order`` sorted by target and source length, stably, in 8 bytes a row and a few more at a time."""
    keys = np.empty(len(order), np.uint64)
    for start in range(0, len(order), ROWS_AT_ONCE):
        some = order[start : start + ROWS_AT_ONCE]
        first, second = (
            np.minimum(lengths[some], LONGEST_SORTED).astype(np.uint64) for lengths in (target_lengths, source_lengths)
        )
        places = np.arange(start, start + len(some), dtype=np.uint64)
        keys[start : start + len(some)] = first << np.uint64(48) | second << np.uint64(32) | places
    keys.sort()
    return (keys & np.uint64(0xFFFFFFFF)).astype(np.int32)


def padding_share(batches: Sequence[np.ndarray], *lengths: np.ndarray) -> float:
    """Return which share of all positions in the batches is padding, over all sides given."""
    real = sum(int(side[batch].sum()) for batch in batches for side in lengths)
    padded = sum(int(side[batch].max()) * len(batch) for batch in batches for side in lengths)
    return 1 - real / padded if padded else 0.0
