"""Processes that read a stream and cut it into ids, ahead of what is trained on."""

from __future__ import annotations

import signal
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

import torch
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from s2s.errors import InputError
from s2s.text.batching import ParallelIds, SentenceIds
from s2s.text.streaming import PAIRS_READ, Pairs, PairStream
from s2s.text.tokenizer import Tokenizer

__all__ = ["Readers", "Share"]

BETWEEN_SEEDS = 1_000_003


@dataclass(frozen=True)
class Share:
    """What one reader adds to a portion.

    Args:
        ids: its pairs.
        state: where it stands after them.
        is_last: whether it has no more.
        error: what is wrong with the data; what else there is does not count then.
    """

    ids: ParallelIds
    state: Any = None
    is_last: bool = True
    error: str | None = None


@dataclass(frozen=True, kw_only=True)
class Readers(IterableDataset[Share]):
    """Readers of a stream, each a process that reads and cuts one share of a portion ahead of what is trained on.

    Args:
        pairs: the stream.
        source, target: tokenizers.
        sampling: see ``Tokenizer.encode``.
        seed: of the order of shards and of sampled segmentations.
        held_out: pairs that are left out, as they are validated on.
        pairs_at_once: of a share.
        workers: processes; 0 is one reader without a process of its own.
        offset, step: worker number w is reader number ``offset + w * step`` of all.
        readers: of all.
    """

    pairs: PairStream
    source: Tokenizer
    target: Tokenizer
    sampling: float
    seed: int
    held_out: frozenset[tuple[str, str]]
    pairs_at_once: int
    workers: int
    offset: int
    step: int
    readers: int
    place: dict[str, Any] = field(default_factory=dict)

    def shares(self, epoch: int, portion: int, states: Sequence[Any]) -> Iterator[list[Share]]:
        """Yield the shares of one portion after another, from this one on, without end.

        Args:
            epoch, portion: their numbers.
            states: where each reader stands; None at the beginning.
        """
        from_here = replace(self, place={"epoch": epoch, "portion": portion, "states": list(states)})
        if not self.workers:
            yield from ([share] for share in from_here)
            return
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "This DataLoader will create")  # more than there are processors
            found = iter(
                DataLoader(
                    from_here,
                    batch_size=None,
                    num_workers=self.workers,
                    prefetch_factor=1,
                    worker_init_fn=_begin,
                    generator=torch.Generator(),  # else it would draw from that of dropout
                )
            )
        while True:
            yield [next(found) for _ in range(self.workers)]

    def __iter__(self) -> Iterator[Share]:
        """Yield this process's shares; where pairs are at their end, empty ones for as long as they are wanted."""
        info = get_worker_info()
        try:
            yield from self._shares(info.id if info else 0)
        except InputError as error:
            yield Share(ParallelIds.joined([]), error=str(error))

    def _shares(self, worker: int) -> Iterator[Share]:
        epoch, first, states = self.place["epoch"], self.place["portion"], self.place["states"]
        reader = self.offset + worker * self.step
        after = states[worker] if states else None
        found = self.pairs.read(
            reader=reader,
            readers=self.readers,
            order=1 + self.seed * BETWEEN_SEEDS + epoch,
            state=after,
            at_once=min(PAIRS_READ, self.pairs_at_once),
        )
        ahead = next(found, None)
        for portion in count(first):
            seed, parts, length = f"{self.seed} {epoch} {reader} {portion}", list[ParallelIds](), 0
            while ahead is not None and length < self.pairs_at_once:
                pairs, after = ahead
                parts.append(self.cut([pair for pair in pairs if pair not in self.held_out], f"{seed} {len(parts)}"))
                length += len(pairs)
                ahead = next(found, None)
            yield Share(ParallelIds.joined(parts), after, is_last=ahead is None)

    def cut(self, pairs: Pairs, seed: str = "") -> ParallelIds:
        """Cut some pairs into ids."""
        sides = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
        return ParallelIds(
            SentenceIds.of(self.source.encode(sides[0], sampling=self.sampling, seed=f"{seed} source")),
            SentenceIds.of(self.target.encode(sides[1], sampling=self.sampling, seed=f"{seed} target")),
        )


def _begin(worker: int) -> None:
    """Leave Ctrl-C to the process that trains, and the processors too."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)
