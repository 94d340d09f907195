"""The beams of a search in progress."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from s2s.search.candidates import best_of_blocks, top_candidates
from s2s.search.hypothesis import AnyState, Ending, History, Hypothesis, Ranking, Request, Step, check_numbers, on_host
from s2s.search.penalties import coverage_penalty, forbid_, length_penalty, score_bound

__all__ = ["BeamStep", "Board", "Candidates"]

Integers = NDArray[np.int64]
Numbers = NDArray[np.float64]
Floats = NDArray[np.floating[Any]]

ENOUGH_SENTENCES = 16  # one row of each keeps a processor busy


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
class _Found:
    """The best continuations of every sentence, best first, all (B, C): at what sum, of what row, by what token."""

    sums: Floats
    parents: Integers
    tokens: Integers
    token_log_probs: Floats

    def parts(self) -> tuple[NDArray[Any], ...]:
        """All four."""
        return self.sums, self.parents, self.tokens, self.token_log_probs

    def take(self, sentences: Integers, others: "_Found") -> None:
        """Keep the best of what these sentences have and of the others; of equal ones their own go first."""
        own, more = self.parts(), others.parts()
        both = [np.concatenate([part[sentences], other], axis=1) for part, other in zip(own, more, strict=True)]
        order = (-both[0]).argsort(axis=1, kind="stable")[:, : self.sums.shape[1]]
        for part, joined in zip(own, both, strict=True):
            part[sentences] = np.take_along_axis(joined, order, axis=1)

    def least_alive(self, count: int, eos: int) -> Floats:
        """The sum of number ``count`` of those that go on, -inf where there are fewer: (B,)."""
        alive = np.sort(np.where(self.tokens == eos, -np.inf, self.sums), axis=1)
        return alive[:, -count] if count <= alive.shape[1] else np.full(len(alive), -np.inf, alive.dtype)


@dataclass(frozen=True)
class _Expansion(Generic[AnyState]):
    """What a step makes of the beams, whose rows may have been left out.

    ``found``; ``attention`` (B, R, S) and ``places`` (B, R), which row of the ``state`` after it each row has become.
    """

    found: _Found
    attention: Floats
    places: Integers
    state: AnyState


@dataclass(frozen=True)
class _Move:
    """Where the beams go: ``rows`` (B·K,) of the state that make the next, and the sentences of it that ``stay``.

    Both are None where all is as it should be; ``tokens`` (B'·K,) are of those that stay.
    """

    rows: Integers | None
    stay: Integers | None
    tokens: Integers


class Board:
    """One search in progress: who is alive, what has ended and how each got there, in NumPy, as all of it is small.

    Args:
        request: what is searched.
        limits: the least and the greatest number of target tokens of each sentence, both (B,).
        beam_size: rows per sentence, K.
        penalties: alpha and beta (see ``BeamSearch``); of several settings, each ranks what has ended for itself. What
            lives on is chosen by log-probability alone, so one search finds what a search with each setting would.
    """

    def __init__(
        self,
        request: Request,
        limits: tuple[Integers, Integers],
        *,
        beam_size: int,
        penalties: Sequence[tuple[float, float]],
    ) -> None:
        self.request, self.beam_size, self.penalties = request, beam_size, penalties
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
            self.length += 1
            by_rank = watch is None and device.type == "cpu" and len(self.sentences) >= ENOUGH_SENTENCES
            expansion = (self._expand_by_rank if by_rank and self.live.shape[1] > 1 else self._expand)(
                step, tokens, state
            )
            state, move = expansion.state, self._advance(expansion, watch)
            tokens = torch.from_numpy(move.tokens).to(device)
            if len(tokens):
                if move.rows is not None:
                    state = state.select(torch.from_numpy(move.rows).to(device))
                if move.stay is not None:
                    state = state.keep(torch.from_numpy(move.stay).to(device))

    def _expand(self, step: Step[AnyState], tokens: Tensor, state: AnyState) -> _Expansion[AnyState]:
        """Continue all rows at once."""
        count, rows = self.live.shape
        log_probs, attention, state = step(tokens, state)
        found = self._find(log_probs, np.arange(count), np.arange(rows))
        return _Expansion(found, _by_sentence(attention, count), _numbered(count, rows), state)

    def _expand_by_rank(self, step: Step[AnyState], tokens: Tensor, state: AnyState) -> _Expansion[AnyState]:
        """Continue the best row of every sentence, then the second best, and so on, but none that cannot matter.

        No continuation is more probable than its beginning. So a row that is less probable than K continuations that go
        on has none among the K that will, and no ending that counts; nor has any row behind it.
        """
        numbers = _numbered(*self.live.shape)
        everyone = np.arange(len(numbers))
        found, looked, after = self._continue(step, tokens, state, everyone, 0)
        attention = np.zeros((*numbers.shape, looked.shape[1]), looked.dtype)
        attention[:, 0] = looked
        places, states, made = numbers // numbers.shape[1], [after], len(numbers)
        for rank in range(1, numbers.shape[1]):
            least = found.least_alive(self.beam_size, self.request.eos)
            sentences = np.flatnonzero(self.live[:, rank].astype(least.dtype) >= least)
            if not len(sentences):
                break
            more, attention[sentences, rank], after = self._continue(step, tokens, state, sentences, rank)
            found.take(sentences, more)
            places[sentences, rank] = made + np.arange(len(sentences))
            states.append(after)
            made += len(sentences)
        return _Expansion(found, attention, places, state.join(states))

    def _continue(
        self, step: Step[AnyState], tokens: Tensor, state: AnyState, sentences: Integers, rank: int
    ) -> tuple[_Found, Floats, AnyState]:
        """Continue the row of this rank of some sentences: what was found, attention (B', S), the state after."""
        count, rows = self.live.shape
        part = state if len(sentences) == count else state.keep(torch.from_numpy(sentences))
        part = part.select(torch.from_numpy(np.arange(len(sentences)) * rows + rank))
        log_probs, attention, after = step(tokens[torch.from_numpy(sentences * rows + rank)], part)
        return self._find(log_probs, sentences, np.array([rank])), on_host(attention).numpy(), after

    def _advance(self, expansion: _Expansion[AnyState], watch: Callable[[BeamStep], None] | None) -> _Move:
        """Take every sentence one token further -> what the state and the next step need."""
        seen = expansion.attention
        if any(beta for _, beta in self.penalties):
            self.coverage = (
                seen.astype(np.float64) if self.coverage is None else self.coverage[..., : seen.shape[2]] + seen
            )
        candidates = self._candidates(expansion.found)
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
        return self._move(alive, np.flatnonzero(~self._done(alive)), expansion.places)

    def hypotheses(self, setting: int = 0) -> list[list[Hypothesis]]:
        """Read the endings that the setting of this number keeps back to their first tokens."""
        return [
            [self.history.hypothesis(ending, eos=self.request.eos, source_length=source_length) for ending in endings]
            for endings, source_length in zip(self.rankings[setting].kept, self.source_lengths.tolist(), strict=True)
        ]

    def _find(self, log_probs: Tensor, sentences: Integers, ranks: Integers) -> _Found:
        """The best 2K continuations, or all, of these rows of these sentences, so that K can go on: (B'·R', V)."""
        log_probs = log_probs.view(len(sentences), len(ranks), -1)
        live = torch.from_numpy(self.live[sentences[:, None], ranks]).to(log_probs)
        best, places = self._best(log_probs, live, 2 * self.beam_size, sentences)
        token_log_probs = log_probs.flatten(1).gather(1, places).cpu().numpy()
        where, sums = places.cpu().numpy(), best.cpu().numpy()
        check_numbers(sums, self.length)
        rows, tokens = np.divmod(where, log_probs.shape[2])
        return _Found(sums, ranks[rows], tokens, token_log_probs)

    def _candidates(self, found: _Found) -> Candidates:
        """Sum log-probabilities up in double precision; of fewer than K candidates the missing ones never win."""
        sums, parents, tokens, token_log_probs = found.parts()
        totals = self.live[np.arange(len(parents))[:, None], parents] + token_log_probs.astype(np.float64)
        totals[sums == -np.inf] = -np.inf
        missing = ((0, 0), (0, max(0, self.beam_size - parents.shape[1])))
        if missing[1][1]:
            parents, tokens = np.pad(parents, missing), np.pad(tokens, missing, constant_values=self.request.eos)
            token_log_probs = np.pad(token_log_probs, missing)
            totals = np.pad(totals, missing, constant_values=-np.inf)
        return Candidates(parents, tokens, token_log_probs.astype(np.float64), totals)

    def _best(self, log_probs: Tensor, live: Tensor, count: int, sentences: Integers) -> tuple[Tensor, Tensor]:
        """The best continuations of these sentences and their places: (B', R', V), (B', R') -> both (B', C).

        Where a sentence may not end yet, or must, all scores are written out; else the best blocks will do.
        """
        which = self.sentences[sentences]
        too_short, at_limit = self.length < self.minimum[which], self.length >= self.maximum[which]
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
        """Which sentences nothing alive can change any more: (B,)."""
        best = alive.log_probs.max(axis=1)
        done: NDArray[np.bool_] = np.ones(len(best), dtype=np.bool_)
        for (alpha, _), ranking in zip(self.penalties, self.rankings, strict=True):
            worst_kept = ranking.worst[self.sentences]
            done &= score_bound(best, self.length + 1, self.maximum[self.sentences], alpha) <= worst_kept
        done |= best == -np.inf
        if self.beam_size == 1:
            done |= np.isfinite(self.rankings[0].worst[self.sentences])
        return done

    def _move(self, alive: Candidates, stay: Integers, places: Integers) -> _Move:
        """Leave the sentences that are done behind."""
        count, rows = self.live.shape
        self.sentences, self.live = self.sentences[stay], alive.log_probs[stay]
        if self.coverage is not None:
            self.coverage = self.coverage[stay[:, None], alive.parents[stay]]
        origins = None
        if alive.parents.shape[1] > 1 or rows > 1:
            origins = places[np.arange(count)[:, None], alive.parents].ravel()
        return _Move(origins, None if len(stay) == count else stay, alive.tokens[stay].ravel())


def _numbered(sentences: int, rows: int) -> Integers:
    """The numbers of all rows as they stand one after another, (B, R)."""
    return np.arange(sentences * rows).reshape(sentences, rows)


def _by_sentence(attention: Tensor, sentences: int) -> Floats:
    """(B·R, S) -> (B, R, S), on the host."""
    seen: Floats = on_host(attention).numpy().reshape(sentences, -1, attention.shape[1])
    return seen
