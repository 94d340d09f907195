"""What may go wrong in an update without ending a run: memory that is too small, numbers that are not finite."""

from collections.abc import Iterable

import numpy as np
import torch
from torch import nn

from s2s.errors import InputError
from s2s.text.batching import ParallelIds

__all__ = ["MOST_SKIPPED", "diagnosis", "halved", "is_finite", "is_out_of_memory"]

MOST_SKIPPED = 10
"""Updates in a row that may be skipped before training ends."""
LONGEST_NAMED = 3
SIGNS = ("can't allocate memory", "not enough memory", "out of memory")


def is_finite(*numbers: torch.Tensor) -> torch.Tensor:
    """Whether all of some numbers, (), are neither infinite nor NaN, as a flag, (), that nobody has looked at."""
    return torch.stack([number.isfinite() for number in numbers]).all()


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory is at its end; on a CPU torch has no class for it, only words."""
    of_kind = isinstance(error, MemoryError | torch.OutOfMemoryError)
    return of_kind or (isinstance(error, RuntimeError) and any(sign in str(error) for sign in SIGNS))


def halved(ids: ParallelIds, group: Iterable[np.ndarray]) -> tuple[list[np.ndarray], str]:
    """Cut every batch of an update in two.

    Returns:
        the smaller batches, and a line that names the longest pairs.

    Raises:
        InputError: each of the batches is one pair already.
    """
    group = list(group)
    rows = np.concatenate(group)
    lengths = np.stack([ids.source.lengths_of(rows), ids.target.lengths_of(rows)])
    longest = np.argsort(-lengths.max(axis=0), kind="stable")[:LONGEST_NAMED]
    named = ", ".join(f"{rows[i] + 1} ({lengths[0, i]} and {lengths[1, i]} pieces)" for i in longest)
    if len(rows) == len(group):
        raise InputError(f"memory does not hold training pair {named} alone; lower training.longest= or model sizes")
    halves = [half for batch in group for half in np.array_split(batch, min(2, len(batch)))]
    return halves, (
        f"out of memory with {max(map(len, group))} pairs: going on with batches half as large; longest are training "
        f"pairs {named}; a lower training.longest= or training.batch_tokens= avoids this"
    )


def diagnosis(
    model: nn.Module, *, skipped: int, updates: int, learning_rate: float, clip_norm: float | None
) -> InputError:
    """Say why a run cannot go on whose numbers are no longer finite.

    Args:
        model: with the weights of the last update that was made.
        skipped: updates in a row.
        updates: counted so far.
        learning_rate: of the last update.
        clip_norm: to which gradients are cut.
    """
    greatest = max(float(weight.detach().abs().max()) for weight in model.parameters() if weight.numel())
    clipping = "training.clip_norm=1" if clip_norm is None else f"a training.clip_norm below {clip_norm:g}"
    return InputError(
        f"numbers are no longer finite at update {updates:,}: {skipped} updates in a row were skipped, weights reach "
        f"{greatest:.3g}, and the learning rate is {learning_rate:g}; train anew with a lower optimizer.lr, or with "
        f"{clipping}; the best weights so far are kept"
    )
