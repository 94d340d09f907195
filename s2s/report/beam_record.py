"""What a beam search did with one sentence: every candidate of every step, and how it ended."""

import math
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Literal, get_args

from s2s.errors import InputError

__all__ = ["BeamTree", "Branch", "Ending", "Fate"]

Fate = Literal["alive", "pruned", "ended", "late", "won"]

FATES: tuple[str, ...] = get_args(Fate)
ENDINGS = ("ended", "late", "won")
# Log-probabilities and scores may come from float32.
TOLERANCE = 1e-4


@dataclass(frozen=True)
class Branch:
    """One candidate of one step: a beginning of a target and the piece that was added last.

    Args:
        parent: index, in the step before, of the branch it continues; -1 at the first step.
        label: the piece, in which ``▁`` stands for a blank.
        token_log_prob: of the piece, natural logarithm.
        log_prob: of the whole beginning, the sum over its pieces.
        fate: ``alive``, it went on; ``pruned``, it fell off the beam; ``ended``, it wrote EOS and counts; ``late``, it
            wrote EOS but was not among the best ``beam_size`` of its step, so it does not count; ``won``.
        score: ``log_prob / length penalty + coverage penalty`` of what wrote EOS, None for all else.

    Raises:
        InputError: a value is out of range or does not go with the fate.
    """

    parent: int
    label: str
    token_log_prob: float
    log_prob: float
    fate: Fate
    score: float | None = None

    def __post_init__(self) -> None:
        if self.fate not in FATES:
            raise InputError(f"fate {self.fate!r} of {self.label!r}, expected one of {', '.join(FATES)}; name one")
        for value in (self.token_log_prob, self.log_prob):
            if not -math.inf < value <= TOLERANCE:
                raise InputError(
                    f"log-probability {value} of {self.label!r}, expected a finite number not above 0; take natural "
                    "logarithms and leave out candidates of probability 0"
                )
        if (self.score is not None) != (self.fate in ENDINGS) or not math.isfinite(self.score or 0):
            raise InputError(
                f"score {self.score} of {self.label!r}, which is {self.fate}; expected a finite number for "
                f"{', '.join(ENDINGS)} and None for the others; score what wrote EOS and nothing else"
            )


@dataclass(frozen=True)
class Ending:
    """A finished target and the sum behind its ``score = log_prob / length_penalty + coverage``.

    ``branch`` is (step, index in it), both from 0; ``length`` counts EOS; a late one is not ``counted``.
    """

    branch: tuple[int, int]
    text: str
    log_prob: float
    length: int
    length_penalty: float
    coverage: float
    score: float
    counted: bool


@dataclass(frozen=True)
class BeamTree:
    """One sentence's whole search.

    Args:
        source: the sentence as it was given.
        steps: the candidates of every step, best first; each continues an alive branch of the step before. None where
            nothing was searched, as for an empty line.
        beam_size: how many may be alive at a time, K.
        length_penalty: alpha of ``((5 + length) / 6) ** alpha``, Wu et al. (2016), eq. 14.
        coverage_penalty: beta; where it is 0 a score is log-probability over length penalty and no more.
        winner_text: the translation as people write it.

    Raises:
        InputError: the branches make no tree, are not best first, or the winner is not the best of what counts.
    """

    source: str
    steps: tuple[tuple[Branch, ...], ...]
    beam_size: int
    length_penalty: float
    coverage_penalty: float
    winner_text: str

    def __post_init__(self) -> None:
        if self.beam_size < 1:
            raise InputError(f"beam_size is {self.beam_size}, expected 1 or more; give the search's own")
        if not math.isfinite(self.length_penalty) or not 0 <= self.coverage_penalty < math.inf:
            raise InputError(
                f"length_penalty is {self.length_penalty} and coverage_penalty {self.coverage_penalty}, expected "
                "finite numbers, the second not below 0; give the search's own"
            )
        before: tuple[Branch, ...] = ()
        for number, step in enumerate(self.steps, 1):
            _check_step(step, before, number)
            before = step
        self._check_endings()

    def path(self, step: int, index: int) -> list[int]:
        """The index at every step, from the first to this one, of the branches that lead to a branch."""
        indices = [index]
        for branches in reversed(self.steps[1 : step + 1]):
            indices.append(branches[indices[-1]].parent)
        return indices[::-1]

    def text(self, step: int, index: int) -> str:
        """What a branch has written so far, EOS left out."""
        branches = [branches[place] for branches, place in zip(self.steps, self.path(step, index), strict=False)]
        return "".join(branch.label for branch in branches if branch.score is None).replace("▁", " ").strip()

    @cached_property
    def endings(self) -> list[Ending]:
        """All that ended: what counts, then what was late, each best score first, of equal ones the earlier."""
        found = []
        for number, step in enumerate(self.steps):
            penalty = ((5 + number + 1) / 6) ** self.length_penalty
            for index, branch in enumerate(step):
                if branch.score is not None:
                    ending = Ending(
                        branch=(number, index),
                        text=self.winner_text if branch.fate == "won" else self.text(number, index),
                        log_prob=branch.log_prob,
                        length=number + 1,
                        length_penalty=penalty,
                        coverage=branch.score - branch.log_prob / penalty if self.coverage_penalty else 0.0,
                        score=branch.score,
                        counted=branch.fate != "late",
                    )
                    found.append(ending)
        return sorted(found, key=lambda ending: (not ending.counted, -ending.score))

    @property
    def winner(self) -> Ending | None:
        """The best of what counts; None where nothing does."""
        return next((ending for ending in self.endings if ending.counted), None)

    def _check_endings(self) -> None:
        for ending in self.endings:
            expected = ending.log_prob / ending.length_penalty + ending.coverage
            if abs(expected - ending.score) > TOLERANCE * max(1, abs(expected)):
                raise InputError(
                    f"score {ending.score} of {ending.text!r}, expected log_prob / length penalty = "
                    f"{ending.log_prob} / {ending.length_penalty} = {expected}; give the penalties of the search that "
                    "scored it"
                )
        won = [(n, i) for n, step in enumerate(self.steps) for i, branch in enumerate(step) if branch.fate == "won"]
        best = [self.winner.branch] if self.winner else []
        if won != best:
            raise InputError(
                f"won at (step, index) {won}, expected {best}, the best score of what counts; of equal scores the "
                "earlier wins"
            )


def _check_step(step: tuple[Branch, ...], before: tuple[Branch, ...], number: int) -> None:
    """Raise an InputError unless the candidates of a step continue alive branches and are best first."""
    if not step:
        raise InputError(f"no candidates at step {number}, expected one or more; leave out steps that found nothing")
    for branch in step:
        if number == 1 and branch.parent != -1:
            raise InputError(f"parent {branch.parent} of {branch.label!r} at step 1, expected -1; it continues nothing")
        if number > 1 and not (0 <= branch.parent < len(before) and before[branch.parent].fate == "alive"):
            alive = [index for index, other in enumerate(before) if other.fate == "alive"]
            raise InputError(
                f"parent {branch.parent} of {branch.label!r} at step {number}, expected one that is alive at the step "
                f"before: {alive}; count parents among all candidates of their step"
            )
    if any(better.log_prob < worse.log_prob for better, worse in pairwise(step)):
        raise InputError(
            f"candidates of step {number} have log-probabilities {[branch.log_prob for branch in step]}, expected the "
            "best first; sort them"
        )
