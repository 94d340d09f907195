"""Processes that train one model together, each on its share of every batch.

They are started by ``torchrun``, ``accelerate launch`` or ``mpirun``, on one machine or several, with one command line.
All hold the same weights and decide alike; what they compute apart is summed or gathered before anything depends on it,
so k of them with batches of b tokens do what one does with k·b. The first alone writes and speaks.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, zip_longest
from typing import Any, TypeVar

import torch
from torch import Tensor, distributed

from s2s.errors import InputError

__all__ = ["ALONE", "Processes", "joined"]

Made = TypeVar("Made")
MISSING = object()
BETWEEN_SEEDS = 1_000_003


@dataclass(frozen=True)
class Processes:
    """This process among all: ``rank`` from 0, of ``count``."""

    count: int = 1
    rank: int = 0

    @property
    def is_first(self) -> bool:
        """Whether this is the one that writes."""
        return self.rank == 0

    def share(self, items: Any) -> Any:
        """This process's share of what is laid out for all, every so many items."""
        return items[self.rank :: self.count] if self.count > 1 else items

    def sum_(self, *tensors: Tensor) -> None:
        """Sum tensors of one type over all processes, in place, in one exchange.

        Raises:
            InputError: another process has ended.
        """
        if self.count == 1:
            return
        flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
        self._exchange(distributed.all_reduce, flat)
        totals = torch.split(flat, [tensor.numel() for tensor in tensors])
        for tensor, total in zip(tensors, totals, strict=True):
            tensor.copy_(total.view_as(tensor))

    def gathered(self, own: Sequence[Made]) -> list[Made]:
        """Put together again what ``share`` dealt out, in order, for all processes."""
        if self.count == 1:
            return list(own)
        of_all: list[Any] = [None] * self.count
        self._exchange(distributed.all_gather_object, of_all, list(own))
        in_order = chain.from_iterable(zip_longest(*of_all, fillvalue=MISSING))
        return [item for item in in_order if item is not MISSING]

    def by_first(self, make: Callable[[], Made]) -> Made:
        """Let the first process make something, such as a folder, and tell the others what.

        Raises:
            InputError: what the first one raised, there; the others end.
        """
        if self.count == 1:
            return make()
        told: list[Any] = [None, None]
        try:
            told[0] = make() if self.is_first else None
        except InputError as error:
            told[1] = str(error)
        self._exchange(distributed.broadcast_object_list, told, 0)
        if told[1] is not None:
            raise InputError(told[1]) if self.is_first else SystemExit(2)
        made: Made = told[0]
        return made

    @contextmanager
    def first_before_others(self) -> Iterator[None]:
        """Let the first process through the block before the others, which then find what it has left on the disk."""
        if not self.is_first:
            self._exchange(distributed.barrier)
        yield
        if self.is_first and self.count > 1:
            self._exchange(distributed.barrier)

    def device(self, name: str | None) -> str | None:
        """The device of this process, given what was asked for: of several GPUs each process has its own."""
        if self.count == 1 or name == "cpu" or not torch.cuda.is_available():
            return name
        return f"cuda:{torch.cuda.current_device()}"

    def seed(self, seed: int) -> None:
        """Draw other dropout masks in each process; the first keeps its generator as it is."""
        if not self.is_first:
            torch.manual_seed(seed + BETWEEN_SEEDS * self.rank)

    @staticmethod
    def _exchange(operation: Callable[..., Any], *arguments: Any) -> None:
        try:
            operation(*arguments)
        except RuntimeError as error:
            reason = str(error).splitlines()[0][:120]
            raise InputError(
                f"another process of this job has ended ({reason}); what was saved last is whole: start them all again"
            ) from error


ALONE = Processes()


def joined(device: torch.device) -> Processes:
    """Join the processes that were started together, by gloo on CPUs and nccl on GPUs; without any, one is alone.

    Raises:
        InputError: they do not find one another.
    """
    from accelerate import PartialState

    try:
        state = PartialState(cpu=device.type == "cpu")
    except (RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(
            f"the processes of this job do not find one another ({reason}); set MASTER_ADDR= and MASTER_PORT= to the "
            "name of the first machine and a free port there"
        ) from error
    return Processes(state.num_processes, state.process_index)
