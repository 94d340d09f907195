"""Beam search. A beam of one is greedy search."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from s2s.errors import InputError
from s2s.search.candidates import best_of_blocks, top_candidates
from s2s.search.hypothesis import (
    AnyState,
    Ending,
    History,
    Hypothesis,
    Ranking,
    Step,
    check_numbers,
    check_request,
    on_host,
)
from s2s.search.penalties import check_limits, coverage_penalty, forbid_, length_limits, length_penalty, score_bound

Integers = NDArray[np.int64]
Numbers = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class BeamSearch:
    """Keep the ``beam_size`` most probable beginnings of a target; rank what ends by a score that minds its length.

    ``score = log_prob / lp(Y) + cp(X; Y)``, Wu et al. (2016), eq. 14. A candidate that ends counts when it is among the
    best ``beam_size`` of its step; the best ``beam_size`` others live on. A sentence stops when nothing alive can
    still change its ``n_best`` (Huang, Zhao & Ma 2017); a beam of one stops at its first EOS, which makes it greedy.

    Args:
        beam_size: rows per sentence, K.
        length_penalty: alpha; 0 ranks by log-probability, higher favours longer targets.
        coverage_penalty: beta; 0 is none, higher favours targets that looked at every source position.
        min_ratio: a target has at least ``floor(min_ratio * source_length)`` tokens, EOS counted on both sides.
        max_ratio: and at most ``floor(max_ratio * source_length) + max_extra``, though never less than EOS itself.
        max_extra: see ``max_ratio``.
    """

    beam_size: int = 5
    length_penalty: float = 0.6
    coverage_penalty: float = 0.0
    min_ratio: float = 0.0
    max_ratio: float = 2.0
    max_extra: int = 10

    def __post_init__(self) -> None:
        if self.beam_size < 1:
            raise InputError(f"beam_size must be 1 or more, got {self.beam_size}; 1 is greedy search")
        if not math.isfinite(self.length_penalty):
            raise InputError(f"length_penalty must be a finite number, got {self.length_penalty}; 0 turns it off")
        if not 0 <= self.coverage_penalty < math.inf:
            raise InputError(f"coverage_penalty must be finite and not below 0, got {self.coverage_penalty}; 0 is none")
        check_limits(min_ratio=self.min_ratio, max_ratio=self.max_ratio, max_extra=self.max_extra)

    @torch.inference_mode()
    def __call__(
        self,
        step: Step[AnyState],
        state: AnyState,
        source_lengths: Tensor,
        *,
        n_best: int = 1,
        bos: int,
        eos: int,
        forbidden: Sequence[int] = (),
        rows: Sequence[int] | None = None,
        watch: "Callable[[BeamStep], None] | None" = None,
    ) -> list[list[Hypothesis]]:
        """Search for every sentence's best hypotheses; what one gets does not depend on the others.

        Args:
            step: the model, one target token at a time.
            state: of B rows, one per sentence.
            source_lengths: (B,), EOS counted, on the device where ``step`` works.
            n_best: hypotheses wanted per sentence, at most ``beam_size``.
            bos: the token before the first.
            eos: the token after the last.
            forbidden: tokens that are never written.
            rows: the sentences' numbers in the input; for searches that draw, a beam has no use for them.
            watch: is shown every step.

        Returns:
            Per sentence ``n_best`` hypotheses, best first, or as many as have a probability above 0.
        """
        check_request(n_best, eos, forbidden)
        if n_best > self.beam_size:
            raise InputError(
                f"n_best must be at most beam_size, got {n_best} and {self.beam_size}; raise beam_size or ask for fewer"
            )
        device = source_lengths.device
        board = _Board(self, source_lengths, n_best=n_best, eos=eos, forbidden=forbidden)
        tokens = torch.full((len(source_lengths),), bos, device=device)
        while len(tokens):
            log_probs, attention, state = step(tokens, state)
            move = board.advance(log_probs, attention, watch)
            tokens = torch.from_numpy(move.tokens).to(device)
            if len(tokens):
                if move.stay is not None:
                    state = state.keep(torch.from_numpy(move.stay).to(device))
                if move.rows is not None:
                    state = state.select(torch.from_numpy(move.rows).to(device))
        return board.hypotheses()


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


class _Board:
    """One search in progress: who is alive, what has ended and how each got there, in NumPy, as all of it is small."""

    def __init__(
        self, search: BeamSearch, source_lengths: Tensor, *, n_best: int, eos: int, forbidden: Sequence[int]
    ) -> None:
        self.search, self.eos, self.forbidden = search, eos, forbidden
        self.source_lengths: Integers = source_lengths.cpu().numpy()
        self.minimum, self.maximum = length_limits(
            self.source_lengths, min_ratio=search.min_ratio, max_ratio=search.max_ratio, max_extra=search.max_extra
        )
        self.history, self.ranking = History(), Ranking(len(source_lengths), n_best)
        self.length = 0
        self.sentences = np.arange(len(source_lengths))
        self.live: Numbers = np.zeros((len(source_lengths), 1))
        self.coverage: Numbers | None = None

    def advance(self, log_probs: Tensor, attention: Tensor, watch: Callable[[BeamStep], None] | None = None) -> _Move:
        """Take every sentence one token further: (N, V), (N, S) -> what the state and the next step need."""
        self.length += 1
        seen = on_host(attention).numpy().reshape(*self.live.shape, -1)
        if self.search.coverage_penalty:
            self.coverage = (
                seen.astype(np.float64) if self.coverage is None else self.coverage[..., : seen.shape[2]] + seen
            )
        candidates = self._candidates(log_probs.view(*self.live.shape, -1))
        for ending in self._endings(candidates, among=self.search.beam_size):
            self.ranking.add(ending)
        if watch is not None:
            watch(BeamStep(self.sentences, candidates, self._endings(candidates, among=2 * self.search.beam_size)))
        alive = candidates.alive(self.search.beam_size, self.eos)
        self.history.append(
            sentences=self.sentences,
            tokens=alive.tokens,
            parents=alive.parents,
            token_log_probs=alive.token_log_probs,
            attention=seen,
        )
        return self._move(alive, np.flatnonzero(~self._done(alive)))

    def hypotheses(self) -> list[list[Hypothesis]]:
        """Read the kept endings back to their first tokens."""
        return [
            [self.history.hypothesis(ending, eos=self.eos, source_length=source_length) for ending in endings]
            for endings, source_length in zip(self.ranking.kept, self.source_lengths.tolist(), strict=True)
        ]

    def _candidates(self, log_probs: Tensor) -> Candidates:
        """The best 2K continuations of every sentence, so that K can go on: (B, R, V) -> (B, C), C = 2K or all."""
        best, places = self._best(log_probs, torch.from_numpy(self.live).to(log_probs), 2 * self.search.beam_size)
        token_log_probs = log_probs.flatten(1).gather(1, places).cpu().double().numpy()
        where, sums = places.cpu().numpy(), best.cpu().numpy()
        check_numbers(sums, self.length)
        parents, tokens = where // log_probs.shape[2], where % log_probs.shape[2]
        totals = self.live[np.arange(len(parents))[:, None], parents] + token_log_probs
        totals[sums == -np.inf] = -np.inf
        missing = ((0, 0), (0, max(0, self.search.beam_size - where.shape[1])))
        if missing[1][1]:
            parents, tokens = np.pad(parents, missing), np.pad(tokens, missing, constant_values=self.eos)
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
            return best_of_blocks(log_probs, live, count, forbidden=self.forbidden)
        scores = live[:, :, None] + log_probs
        forbid_(
            scores,
            eos=self.eos,
            forbidden=self.forbidden,
            too_short=torch.from_numpy(too_short),
            at_limit=torch.from_numpy(at_limit),
        )
        return top_candidates(scores.flatten(1), count)

    def _endings(self, candidates: Candidates, *, among: int) -> list[Ending]:
        """The candidates that end and are among this many best of their sentence."""
        ended = (candidates.tokens == self.eos) & np.isfinite(candidates.log_probs)
        ends = ended[:, :among].nonzero()
        if not len(ends[0]):
            return []
        sentences, parents = self.sentences[ends[0]], candidates.parents[ends]
        scores = candidates.log_probs[ends] / length_penalty(self.length, self.search.length_penalty)
        if self.coverage is not None:
            coverage, lengths = torch.from_numpy(self.coverage), torch.from_numpy(self.source_lengths[self.sentences])
            penalty = coverage_penalty(coverage, lengths, self.search.coverage_penalty).numpy()
            scores += penalty[ends[0], parents]
        finished = self.length < self.maximum[sentences]
        values = (candidates.token_log_probs[ends], candidates.log_probs[ends], scores, finished)
        columns = (part.tolist() for part in (sentences, parents, *values))
        return [Ending(sentence, row, self.length, *rest) for sentence, row, *rest in zip(*columns, strict=True)]

    def _done(self, alive: Candidates) -> NDArray[np.bool_]:
        """Which sentences nothing alive can change any more: (B,)."""
        best, worst_kept = alive.log_probs.max(axis=1), self.ranking.worst[self.sentences]
        bound = score_bound(best, self.length + 1, self.maximum[self.sentences], self.search.length_penalty)
        done: NDArray[np.bool_] = (best == -np.inf) | (bound <= worst_kept)
        if self.search.beam_size == 1:
            done |= np.isfinite(worst_kept)
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
