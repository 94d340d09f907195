"""Scheduled sampling: how likely the decoder reads the true token in training, rather than its own draw.

Bengio, Vinyals, Jaitly & Shazeer (2015), section 2.4; the draw is made for every token. Pure functions of the updates
made so far, so that a resumed run goes on where it was.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

from s2s.errors import InputError

__all__ = [
    "ConstantSampling",
    "ExponentialDecay",
    "InverseSigmoidDecay",
    "LinearDecay",
    "ScheduledSampling",
    "TeacherForcing",
]


class ScheduledSampling(ABC):
    """How the probability of the true token, ε in the paper, goes with the updates."""

    @abstractmethod
    def truth(self, updates: int) -> float:
        """Probability of reading the true token in the next update, given the number of updates made so far."""


class TeacherForcing(ScheduledSampling):
    """The true token always."""

    def truth(self, updates: int) -> float:
        """Always 1."""
        return 1.0


@dataclass(frozen=True, kw_only=True)
class ConstantSampling(ScheduledSampling):
    """One probability throughout.

    Args:
        probability: of the true token.
    """

    probability: float = 0.75

    def __post_init__(self) -> None:
        if not 0 <= self.probability <= 1:
            raise InputError(
                f"scheduled_sampling.probability={self.probability} is no probability of the true token; give a "
                "number from 0 to 1"
            )

    def truth(self, updates: int) -> float:
        """Always the same."""
        return self.probability


@dataclass(frozen=True, kw_only=True)
class LinearDecay(ScheduledSampling):
    """A straight line down to a floor: ``ε_i = max(ε, k - c i)``.

    Args:
        start: probability at the first update, k.
        slope: what each update takes away, c.
        least: where it ends, ε.
    """

    start: float = 1.0
    slope: float = 0.0001
    least: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.least <= self.start <= 1:
            raise InputError(
                f"scheduled_sampling.start={self.start} and scheduled_sampling.least={self.least} are no way down; "
                "give two probabilities, least not above start"
            )
        if not self.slope >= 0:
            raise InputError(
                f"scheduled_sampling.slope={self.slope} does not go down; give what each update takes away, 0 or more"
            )

    def truth(self, updates: int) -> float:
        """``max(ε, k - c i)``."""
        return max(self.least, self.start - self.slope * updates)


@dataclass(frozen=True, kw_only=True)
class ExponentialDecay(ScheduledSampling):
    """Times the same factor at every update: ``ε_i = k^i``.

    Args:
        k: the factor; 1 is teacher forcing.
    """

    k: float = 0.9998

    def __post_init__(self) -> None:
        if not 0 < self.k <= 1:
            raise InputError(f"scheduled_sampling.k={self.k} is no exponential decay; give a number above 0, at most 1")

    def truth(self, updates: int) -> float:
        """``k^i``."""
        return float(self.k**updates)


@dataclass(frozen=True, kw_only=True)
class InverseSigmoidDecay(ScheduledSampling):
    """Slow, then fast, then slow: ``ε_i = k / (k + exp(i / k))``, one half after ``k ln k`` updates.

    Args:
        k: updates in which ``exp(i / k)`` grows e-fold.
    """

    k: float = 500.0

    def __post_init__(self) -> None:
        if not 1 <= self.k < math.inf:
            raise InputError(f"scheduled_sampling.k={self.k} is no inverse sigmoid decay; give a number from 1 up")

    def truth(self, updates: int) -> float:
        """``k / (k + exp(i / k))``, divided through by the exponential, which would overflow."""
        share = self.k * math.exp(-updates / self.k)
        return share / (share + 1)
