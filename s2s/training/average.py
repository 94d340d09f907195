"""Averages of weights, which translate better than the last weights do."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor, nn

from s2s.model.seq2seq import Seq2Seq
from s2s.run import Run

__all__ = ["MovingAverage", "average_checkpoints"]


@torch.no_grad()
def average_checkpoints(run: Run, paths: Iterable[Path]) -> Seq2Seq:
    """Make the run's model with the mean of weights that were kept.

    Junczys-Dowmunt, Dwojak & Sennrich (2016); Vaswani et al. (2017), section 6.1. Sums are taken in float64.

    Raises:
        InputError: a file that is damaged, or of another model.
    """
    files = list(paths)
    model = run.build_model(files[0])
    weights: list[Tensor] = list(model.parameters())
    sums = [torch.zeros_like(weight, dtype=torch.float64) for weight in weights]
    for path in files:
        run.load_weights(model, path)
        torch._foreach_add_(sums, [weight.double() for weight in weights])
    for weight, total in zip(weights, sums, strict=True):
        weight.copy_(total / len(files))
    return model.eval()


class MovingAverage:
    """An exponential moving average of a model's weights (Polyak & Juditsky 1992).

    ``a = d a + (1 - d) w`` after each update, with ``d = min(decay, (1 + t) / (10 + t))`` after t updates, so that the
    weights of the beginning are soon forgotten.

    Args:
        model: whose weights are averaged.
        decay: share of the old average that is kept, from 0 to below 1.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self._weights: list[Tensor] = list(model.parameters())
        self.averages = [weight.detach().clone() for weight in self._weights]

    @torch.no_grad()
    def update(self, updates: int, made: Tensor | None = None) -> None:
        """Take in the weights after this number of updates; not where the flag ``made``, (), is false."""
        kept = min(self.decay, (1 + updates) / (10 + updates))
        if made is None:
            torch._foreach_lerp_(self.averages, self._weights, 1 - kept)
        else:
            torch._foreach_lerp_(self.averages, self._weights, [made * (1 - kept)] * len(self.averages))

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Let the model have its averages for weights while the block runs."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def _swap(self) -> None:
        for place, weight in enumerate(self._weights):
            weight.data, self.averages[place] = self.averages[place], weight.data

    @torch.no_grad()
    def load(self, averages: list[Tensor]) -> None:
        """Go on from saved averages."""
        for average, saved in zip(self.averages, averages, strict=True):
            average.copy_(saved)
