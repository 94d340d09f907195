"""What a search is, what it is given (step, state, request), remembers (history) and returns (hypothesis)."""

import bisect
from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, Protocol, Self, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from s2s.errors import InputError


class State(Protocol):
    """What a step function remembers of N rows; both methods return a new state and leave this one alone."""

    def select(self, rows: Tensor) -> Self:
        """The state whose row n is row ``rows[n]`` of this one.

        Rows stay with their sentence and every sentence gets the same number; that number may change: a beam opens
        with B rows and goes on with B·K.
        """

    def keep(self, sentences: Tensor) -> Self:
        """The state of these sentences alone, each with all its rows."""


AnyState = TypeVar("AnyState", bound=State)

Step = Callable[[Tensor, AnyState], tuple[Tensor, Tensor, AnyState]]
"""Tokens (N,), state -> log-probabilities (N, V) of the next token, attention (N, S), new state."""


@dataclass(frozen=True, eq=False)
class Hypothesis:
    """One target for one source.

    Args:
        tokens: ids, of which EOS is the last.
        token_log_probs: the model's log-probability of each of them.
        log_prob: their sum.
        score: what hypotheses are ranked by: ``log_prob``, with penalties if the search has any.
        attention: (T, S), a row per token, over this sentence's own source positions.
        finished: False where EOS was forced by the length limit.
    """

    tokens: tuple[int, ...]
    token_log_probs: tuple[float, ...]
    log_prob: float
    score: float
    attention: NDArray[np.floating[Any]]
    finished: bool


@dataclass(frozen=True, eq=False)
class Request:
    """What is asked of a search, for B sentences.

    Args:
        source_lengths: (B,), EOS counted, on the device where the step works.
        bos: the token before the first.
        eos: the token after the last.
        n_best: hypotheses wanted per sentence.
        forbidden: tokens that are never written.
        rows: the sentences' numbers in the input, (B,), which decide what is drawn for them; None for 0 to B - 1.
    """

    source_lengths: Tensor
    _: KW_ONLY
    bos: int
    eos: int
    n_best: int = 1
    forbidden: Sequence[int] = ()
    rows: Sequence[int] | None = None

    def __post_init__(self) -> None:
        if self.n_best < 1:
            raise InputError(f"n_best must be 1 or more, got {self.n_best}; ask for at least one hypothesis")
        if self.eos in self.forbidden:
            raise InputError(
                f"the end-of-sentence id {self.eos} is forbidden, so nothing could end; take it out of forbidden"
            )


class Search(Protocol):
    """Beam search, sampling, or whatever else finds targets by a step function."""

    def __call__(self, step: Step[Any], state: Any, request: Request) -> list[list[Hypothesis]]:
        """Return the best hypotheses of every sentence."""


@dataclass(frozen=True)
class Ending:
    """Where a hypothesis ends: ``sentence`` wrote EOS as token number ``length``, coming from ``row``."""

    sentence: int
    row: int
    length: int
    token_log_prob: float
    log_prob: float
    score: float
    finished: bool


@dataclass(frozen=True)
class Choice:
    """What one step chose: ``tokens``, ``parents``, ``token_log_probs`` (B, K); ``attention`` (B, R, S) by parent."""

    sentences: NDArray[np.int64]
    tokens: NDArray[np.int64]
    parents: NDArray[np.int64]
    token_log_probs: NDArray[np.float64]
    attention: NDArray[np.floating[Any]]


class History:
    """Every step's choices, pointing to the rows they came from; nothing is put in order until a hypothesis is read."""

    def __init__(self) -> None:
        self._choices: list[Choice] = []

    def append(
        self,
        *,
        sentences: NDArray[np.int64],
        tokens: NDArray[np.int64],
        parents: NDArray[np.int64],
        token_log_probs: NDArray[np.float64],
        attention: NDArray[np.floating[Any]],
    ) -> None:
        """Note one step; ``sentences`` (B,), rising, are the numbers of those still in the batch."""
        self._choices.append(Choice(sentences, tokens, parents, token_log_probs, attention))

    def hypothesis(self, ending: Ending, *, eos: int, source_length: int) -> Hypothesis:
        """Follow the pointers from an ending back to the first token."""
        tokens, log_probs, attention = [eos], [ending.token_log_prob], []
        row = ending.row
        for number in range(ending.length - 1, -1, -1):
            choice = self._choices[number]
            place = int(np.searchsorted(choice.sentences, ending.sentence))
            if number < ending.length - 1:
                tokens.append(int(choice.tokens[place, row]))
                log_probs.append(float(choice.token_log_probs[place, row]))
                row = int(choice.parents[place, row])
            attention.append(choice.attention[place, row, :source_length])
        return Hypothesis(
            tokens=tuple(reversed(tokens)),
            token_log_probs=tuple(reversed(log_probs)),
            log_prob=ending.log_prob,
            score=ending.score,
            attention=np.stack(attention[::-1]),
            finished=ending.finished,
        )


class Ranking:
    """The best ``n_best`` endings of every sentence, best first; of equal ones the earlier stays ahead."""

    def __init__(self, sentences: int, n_best: int) -> None:
        self.kept: list[list[Ending]] = [[] for _ in range(sentences)]
        self.worst = np.full(sentences, -np.inf)
        """(B,): the score that a newcomer has to beat; -inf while there is room."""
        self.longest = np.zeros(sentences, dtype=np.int64)
        """(B,): tokens of the longest that is kept; 0 where none is."""
        self.closed = np.zeros(sentences, dtype=np.bool_)
        """(B,): which sentences have their endings, so that no other is added."""
        self._n_best = n_best

    def add(self, ending: Ending) -> None:
        """Rank one ending among its sentence's others and forget what falls off."""
        if self.closed[ending.sentence]:
            return
        kept = self.kept[ending.sentence]
        bisect.insort(kept, ending, key=lambda other: -other.score)
        del kept[self._n_best :]
        self.longest[ending.sentence] = max(one.length for one in kept)
        if len(kept) == self._n_best:
            self.worst[ending.sentence] = kept[-1].score


def on_host(attention: Tensor) -> Tensor:
    """Copy attention to the CPU, in a precision numpy knows; the step may use its own memory again."""
    return attention.to("cpu", torch.promote_types(attention.dtype, torch.float32), copy=True)


def check_numbers(log_probs: NDArray[np.floating[Any]], length: int) -> None:
    """Refuse log-probabilities that cannot be compared."""
    if np.isnan(log_probs).any():
        raise InputError(
            f"the model gave NaN as a log-probability of token {length}, expected numbers; "
            "its weights are spoilt: take an earlier checkpoint"
        )
