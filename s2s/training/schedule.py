"""Learning-rate schedules: pure functions of how far training has come."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from s2s.errors import InputError

__all__ = ["Constant", "Cosine", "InverseSquareRoot", "Linear", "Plateau", "Schedule", "stale"]


def stale(scores: Sequence[float]) -> int:
    """How many validations have passed since the best one, higher being better; 0 where there is none yet."""
    return len(scores) - 1 - scores.index(max(scores)) if scores else 0


@dataclass(frozen=True, kw_only=True)
class Schedule(ABC):
    """A factor on the optimizer's learning rate.

    Args:
        warmup: updates over which the rate rises linearly from zero.
    """

    warmup: int = 0
    needs_progress: ClassVar[bool] = False
    """Whether the factor depends on the share of training done."""

    def __post_init__(self) -> None:
        if self.warmup < 0:
            raise InputError(f"scheduler.warmup={self.warmup} is negative; give the number of updates, 0 for none")

    def factor(self, *, updates: int, progress: float, scores: Sequence[float]) -> float:
        """Return the factor for the next update.

        Args:
            updates: updates made so far.
            progress: share of training done, from 0 to 1.
            scores: validation scores so far, higher being better.
        """
        rise = min(1.0, (updates + 1) / self.warmup) if self.warmup else 1.0
        return rise * self.after_warmup(updates=updates, progress=min(progress, 1.0), scores=scores)

    @abstractmethod
    def after_warmup(self, *, updates: int, progress: float, scores: Sequence[float]) -> float:
        """The factor without the rise."""


class Constant(Schedule):
    """One rate throughout."""

    def after_warmup(self, *, updates: int, progress: float, scores: Sequence[float]) -> float:
        """Always 1."""
        return 1.0


@dataclass(frozen=True, kw_only=True)
class Linear(Schedule):
    """Constant until ``decay_from``, a share of training, then linearly to zero."""

    decay_from: float = 0.0
    needs_progress: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.decay_from < 1:
            raise InputError(f"scheduler.decay_from={self.decay_from} is no share of training; give 0 to 0.99")

    def after_warmup(self, *, updates: int, progress: float, scores: Sequence[float]) -> float:
        """1, then down a straight line to 0 at the end."""
        return min(1.0, (1 - progress) / (1 - self.decay_from))


class Cosine(Schedule):
    """Half a cosine from 1 to 0 (Loshchilov & Hutter 2017, eq. 5, one cycle)."""

    needs_progress: ClassVar[bool] = True

    def after_warmup(self, *, updates: int, progress: float, scores: Sequence[float]) -> float:
        """``(1 + cos(π p)) / 2``."""
        return (1 + math.cos(math.pi * progress)) / 2


class InverseSquareRoot(Schedule):
    """Falling with the root of the updates after the rise (Vaswani et al. 2017, eq. 3)."""

    def after_warmup(self, *, updates: int, progress: float, scores: Sequence[float]) -> float:
        """``sqrt(warmup / updates)``, 1 at the end of the rise."""
        rise = max(self.warmup, 1)
        return math.sqrt(rise / max(updates + 1, rise))


@dataclass(frozen=True, kw_only=True)
class Plateau(Schedule):
    """Times ``decay`` whenever ``patience`` validations in a row have brought nothing better."""

    decay: float = 0.5
    patience: int = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.decay < 1 or self.patience < 1:
            raise InputError(
                f"scheduler.decay={self.decay} and scheduler.patience={self.patience} make no plateau; give a decay "
                "between 0 and 1 and a patience of 1 or more"
            )

    def after_warmup(self, *, updates: int, progress: float, scores: Sequence[float]) -> float:
        """Replay the scores and count the decays."""
        factor, best, waited = 1.0, -math.inf, 0
        for score in scores:
            waited = 0 if score > best else waited + 1
            best = max(best, score)
            if waited == self.patience:
                factor, waited = factor * self.decay, 0
        return factor
