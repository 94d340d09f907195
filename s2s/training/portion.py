"""Portions of an epoch, one after another: pairs in memory or mapped into it, and the updates planned of them.

A corpus of up to a million pairs is one portion. A larger one is shuffled as a whole and cut into several, so that what
is planned at a time stays small. Of a stream each shuffle buffer is one, and how many there are nobody knows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import numpy as np

from s2s.text.batching import ParallelIds, padding_share, plan_batches
from s2s.text.streams import streamed
from s2s.training.processes import Processes
from s2s.training.settings import TrainingSettings

__all__ = ["PAIRS_AT_ONCE", "Plan", "Portion", "cut", "planned"]

PAIRS_AT_ONCE = 1 << 20


@dataclass(frozen=True)
class Portion:
    """Pairs that batches are made of.

    Args:
        ids: the pairs, and perhaps others.
        rows: which of them.
        number: place in the epoch, from 0.
        of: how many portions the epoch has; None where that is unknown.
        is_last: whether the epoch ends with it.
        readers: of a stream, where each reader of any process stands after it; empty where all have all pairs.
    """

    ids: ParallelIds
    rows: np.ndarray
    number: int = 0
    of: int | None = 1
    is_last: bool = True
    readers: Sequence[Any] = ()


@dataclass(frozen=True)
class Plan:
    """The updates of a portion.

    Args:
        portion: whose.
        ids: what rows are of: pairs, or parts of a running text.
        groups: the batches of each update, as rows; those of this process.
        tokens: how many target tokens each update has; those of all processes.
        padding: share of all positions of the batches.
        streams: that a running text is read as, by all processes; 0 for pairs and lines.
    """

    portion: Portion
    ids: ParallelIds
    groups: list[list[np.ndarray]]
    tokens: list[int]
    padding: float
    streams: int


def cut(rows: np.ndarray, number: int, size: int, *, seed: int, epoch: int) -> tuple[np.ndarray, int]:
    """The rows of one portion of an epoch, at most ``size``, and how many portions there are; each row is in one."""
    of = max(1, -(-len(rows) // size))
    if of == 1:
        return rows, of
    shuffled = rows.copy()
    np.random.default_rng([seed, epoch, of]).shuffle(shuffled)
    return shuffled[number::of].copy(), of


def planned(portion: Portion, settings: TrainingSettings, *, seed: int, epoch: int, processes: Processes) -> Plan:
    """Plan the updates of a portion; they follow from seed, epoch and portion alone.

    Where all processes have all pairs, a batch is planned for all and dealt out. Of pairs of its own each process plans
    its own batches, and makes empty ones at the end where another has more.
    """
    ids, rows, own = portion.ids, portion.rows, bool(portion.readers)
    together = 1 if own else processes.count
    if settings.truncated_length:
        ids, batches = streamed(ids, rows, length=settings.truncated_length, tokens=settings.batch_tokens * together)
        rows = np.arange(len(ids))
    sides = ids.source.lengths_of(rows), ids.target.lengths_of(rows)
    if not settings.truncated_length:
        batches = plan_batches(
            *sides,
            tokens=settings.batch_tokens * together,
            sentences=None if settings.batch_sentences is None else settings.batch_sentences * together,
            shuffle=np.random.default_rng([seed, epoch, portion.number, processes.rank if own else 0]),
        )
    padding = padding_share(batches, *sides)
    size = settings.accumulation
    planned = [batches[i : i + size] for i in range(0, len(batches), size)]
    tokens = [sum(int(sides[1][batch].sum()) for batch in group) for group in planned]
    groups = [[rows[batch] for batch in group] for group in planned]
    if own:
        of_all = list(zip_longest(*processes.gathered([tokens]), fillvalue=0))
        groups += [[] for _ in range(len(of_all) - len(groups))]
        tokens = [sum(of_update) for of_update in of_all]
    else:
        groups = [[processes.share(batch) for batch in group] for group in groups]
    streams = len(batches[0]) if settings.truncated_length else 0
    return Plan(portion, ids, groups, tokens, padding, streams)
