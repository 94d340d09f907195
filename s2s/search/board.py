"""The beams of a search in progress."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from s2s.search.candidates import best_of_blocks, top_candidates
from s2s.search.hypothesis import AnyState, Ending, History, Hypothesis, Ranking, Request, Step, check_numbers, on_host
from s2s.search.penalties import awaited_length, coverage_penalty, forbid_, length_penalty, score_bound

__all__ = ["BeamStep", "Board", "Candidates"]

Integers = NDArray[np.int64]
Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Candidates:
    """Beginnings one token longer, best first, all (B, C): where from, with what token, at what log-probability.

    ``parents`` are rows of the beam before, which are the candidates of the step before that went on, best first.
    """

    parents: Integers
    tokens: Integers
    token_log_probs: Numbers
    log_probs: Numbers

    def alive(self, count: int, eos: int) -> "Candidates":
        """The best ``count`` that go on; a row for which there is none has log-probability -inf and never wins."""
        ended = self.tokens == eos
        best = np.arange(len(ended))[:, None], ended.argsort(axis=1, kind="stable")[:, :count]
        log_probs = np.where(ended, -np.inf, self.log_probs)
        return Candidates(self.parents[best], self.tokens[best], self.token_log_probs[best], log_probs[best])


@dataclass(frozen=True)
class BeamStep:
    """One step of a search: the ``sentences`` still in it, their ``candidates``, and every ``ending`` among these.

    Only endings among the best K candidates of their sentence count.
    """

    sentences: Integers
    candidates: Candidates
    endings: list[Ending]


@dataclass(frozen=True)
class _Move:
    """Where the beams go: ``stay`` (B',) the sentences that go on, ``rows`` and ``tokens`` (B'·K,); None: all as is."""

    stay: Integers | None
    rows: Integers | None
    tokens: Integers


class Board:
    """One search in progress: who is alive, what has ended and how each got there, in NumPy, as all of it is small.

    Args:
        request: what is searched.
        limits: the least and the greatest number of target tokens of each sentence, both (B,).
        beam_size: rows per sentence, K.
        penalties: alpha and beta (see ``BeamSearch``); of several settings, each ranks what has ended for itself. What
            lives on is chosen by log-probability alone, so one search finds what a search with each setting would.
        overtake_ratio: how long a target is awaited (see ``BeamSearch``).
    """

    def __init__(
        self,
        request: Request,
        limits: tuple[Integers, Integers],
        *,
        beam_size: int,
        penalties: Sequence[tuple[float, float]],
        overtake_ratio: float | None,
    ) -> None:
        self.request, self.beam_size, self.penalties = request, beam_size, penalties
        self.overtake_ratio = overtake_ratio
        self.source_lengths: Integers = request.source_lengths.cpu().numpy()
        self.minimum, self.maximum = limits
        self.history, self.rankings = History(), [Ranking(len(self.source_lengths), request.n_best) for _ in penalties]
        self.length = 0
        self.sentences = np.arange(len(self.source_lengths))
        self.live: Numbers = np.zeros((len(self.source_lengths), 1))
        self.coverage: Numbers | None = None

    def play(
        self,
        step: Step[AnyState],
        state: AnyState,
        *,
        watch: Callable[[BeamStep], None] | None = None,
    ) -> None:
        """Search until no sentence can change any more."""
        device = self.request.source_lengths.device
        tokens = torch.full((len(self.source_lengths),), self.request.bos, device=device)
        while len(tokens):
            log_probs, attention, state = step(tokens, state)
            move = self.advance(log_probs, attention, watch)
            tokens = torch.from_numpy(move.tokens).to(device)
            if len(tokens):
                if move.stay is not None:
                    state = state.keep(torch.from_numpy(move.stay).to(device))
                if move.rows is not None:
                    state = state.select(torch.from_numpy(move.rows).to(device))

    def advance(self, log_probs: Tensor, attention: Tensor, watch: Callable[[BeamStep], None] | None = None) -> _Move:
        """Take every sentence one token further: (N, V), (N, S) -> what the state and the next step need."""
        self.length += 1
        seen = on_host(attention).numpy().reshape(*self.live.shape, -1)
        if any(beta for _, beta in self.penalties):
            self.coverage = (
                seen.astype(np.float64) if self.coverage is None else self.coverage[..., : seen.shape[2]] + seen
            )
        candidates = self._candidates(log_probs.view(*self.live.shape, -1))
        for penalties, ranking in zip(self.penalties, self.rankings, strict=True):
            for ending in self._endings(candidates, penalties, among=self.beam_size):
                ranking.add(ending)
        if watch is not None:
            every = self._endings(candidates, self.penalties[0], among=2 * self.beam_size)
            watch(BeamStep(self.sentences, candidates, every))
        alive = candidates.alive(self.beam_size, self.request.eos)
        self.history.append(
            sentences=self.sentences,
            tokens=alive.tokens,
            parents=alive.parents,
            token_log_probs=alive.token_log_probs,
            attention=seen,
        )
        return self._move(alive, np.flatnonzero(~self._done(alive)))

    def hypotheses(self, setting: int = 0) -> list[list[Hypothesis]]:
        """Read the endings that the setting of this number keeps back to their first tokens."""
        return [
            [self.history.hypothesis(ending, eos=self.request.eos, source_length=source_length) for ending in endings]
            for endings, source_length in zip(self.rankings[setting].kept, self.source_lengths.tolist(), strict=True)
        ]

    def _candidates(self, log_probs: Tensor) -> Candidates:
        """The best 2K continuations of every sentence, so that K can go on: (B, R, V) -> (B, C), C = 2K or all."""
        best, places = self._best(log_probs, torch.from_numpy(self.live).to(log_probs), 2 * self.beam_size)
        token_log_probs = log_probs.flatten(1).gather(1, places).cpu().double().numpy()
        where, sums = places.cpu().numpy(), best.cpu().numpy()
        check_numbers(sums, self.length)
        parents, tokens = where // log_probs.shape[2], where % log_probs.shape[2]
        totals = self.live[np.arange(len(parents))[:, None], parents] + token_log_probs
        totals[sums == -np.inf] = -np.inf
        missing = ((0, 0), (0, max(0, self.beam_size - where.shape[1])))
        if missing[1][1]:
            parents, tokens = np.pad(parents, missing), np.pad(tokens, missing, constant_values=self.request.eos)
            token_log_probs = np.pad(token_log_probs, missing)
            totals = np.pad(totals, missing, constant_values=-np.inf)
        return Candidates(parents, tokens, token_log_probs, totals)

    def _best(self, log_probs: Tensor, live: Tensor, count: int) -> tuple[Tensor, Tensor]:
        """The best continuations and their places: (B, R, V), (B, R) -> both (B, C).

        Where a sentence may not end yet, or must, all scores are written out; else the best blocks will do.
        """
        too_short = self.length < self.minimum[self.sentences]
        at_limit = self.length >= self.maximum[self.sentences]
        if not (too_short.any() or at_limit.any()):
            return best_of_blocks(log_probs, live, count, forbidden=self.request.forbidden)
        scores = live[:, :, None] + log_probs
        forbid_(
            scores,
            eos=self.request.eos,
            forbidden=self.request.forbidden,
            too_short=torch.from_numpy(too_short),
            at_limit=torch.from_numpy(at_limit),
        )
        return top_candidates(scores.flatten(1), count)

    def _endings(self, candidates: Candidates, penalties: tuple[float, float], *, among: int) -> list[Ending]:
        """The candidates that end and are among this many best of their sentence."""
        ended = (candidates.tokens == self.request.eos) & np.isfinite(candidates.log_probs)
        ends = ended[:, :among].nonzero()
        if not len(ends[0]):
            return []
        sentences, parents = self.sentences[ends[0]], candidates.parents[ends]
        alpha, beta = penalties
        scores = candidates.log_probs[ends] / length_penalty(self.length, alpha)
        if beta and self.coverage is not None:
            coverage, lengths = torch.from_numpy(self.coverage), torch.from_numpy(self.source_lengths[self.sentences])
            penalty = coverage_penalty(coverage, lengths, beta).numpy()
            scores += penalty[ends[0], parents]
        finished = self.length < self.maximum[sentences]
        values = (candidates.token_log_probs[ends], candidates.log_probs[ends], scores, finished)
        columns = (part.tolist() for part in (sentences, parents, *values))
        return [Ending(sentence, row, self.length, *rest) for sentence, row, *rest in zip(*columns, strict=True)]

    def _done(self, alive: Candidates) -> NDArray[np.bool_]:
        """Which sentences nothing alive can change any more: (B,). A setting keeps what it has when it is done."""
        best = alive.log_probs.max(axis=1)
        done: NDArray[np.bool_] = np.ones(len(best), dtype=np.bool_)
        for (alpha, _), ranking in zip(self.penalties, self.rankings, strict=True):
            longest = self.maximum[self.sentences]
            if self.overtake_ratio is not None:
                longest = np.minimum(longest, awaited_length(ranking.longest[self.sentences], self.overtake_ratio))
            bound = score_bound(best, self.length + 1, np.maximum(longest, self.length + 1), alpha)
            ranking.closed[self.sentences] |= bound <= ranking.worst[self.sentences]
            done &= ranking.closed[self.sentences]
        done |= best == -np.inf
        if self.beam_size == 1:
            done |= np.isfinite(self.rankings[0].worst[self.sentences])
        return done

    def _move(self, alive: Candidates, stay: Integers) -> _Move:
        """Leave the sentences that are done behind."""
        parents, (before, rows) = alive.parents[stay], self.live.shape
        self.sentences, self.live = self.sentences[stay], alive.log_probs[stay]
        if self.coverage is not None:
            self.coverage = self.coverage[stay[:, None], parents]
        origins = None
        if parents.shape[1] > 1 or rows > 1:
            origins = (parents + rows * np.arange(len(stay))[:, None]).ravel()
        return _Move(None if len(stay) == before else stay, origins, alive.tokens[stay].ravel())
