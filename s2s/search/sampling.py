"""Sampling: targets drawn token by token."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from s2s.errors import InputError
from s2s.search.candidates import top_candidates
from s2s.search.hypothesis import (
    AnyState,
    Ending,
    History,
    Hypothesis,
    Ranking,
    Request,
    Step,
    check_numbers,
    on_host,
)
from s2s.search.penalties import check_limits, forbid_, length_limits


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """Draw every token from the model's distribution, sharpened or cut as asked; rank the samples by log-probability.

    The log-probabilities reported are the model's own, whatever the distribution drawn from.

    Args:
        temperature: divides the log-probabilities before the draw; below 1 sharpens.
        top_k: draw from the k likeliest tokens; 0 draws from all.
        top_p: draw from the smallest set of likeliest tokens with at least this probability (Holtzman et al. 2020).
        min_ratio: a target has at least ``floor(min_ratio * source_length)`` tokens, EOS counted on both sides.
        max_ratio: and at most ``floor(max_ratio * source_length) + max_extra``, though never less than EOS itself.
        max_extra: see ``max_ratio``.
        seed: with the sentence's number in the input it decides what is drawn, whatever the batch.
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    min_ratio: float = 0.0
    max_ratio: float = 2.0
    max_extra: int = 10
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.temperature < math.inf:
            raise InputError(
                f"temperature must be above 0 and finite, got {self.temperature}; "
                "top_k=1 always takes the likeliest token"
            )
        if self.top_k < 0:
            raise InputError(f"top_k must be 0 or more, got {self.top_k}; 0 draws from every token")
        if not 0 < self.top_p <= 1:
            raise InputError(f"top_p must be above 0 and at most 1, got {self.top_p}; 1 draws from every token")
        if self.seed < 0:
            raise InputError(f"seed must be 0 or more, got {self.seed}; any whole number from 0 up will do")
        check_limits(min_ratio=self.min_ratio, max_ratio=self.max_ratio, max_extra=self.max_extra)

    @torch.inference_mode()
    def __call__(self, step: Step[AnyState], state: AnyState, request: Request) -> list[list[Hypothesis]]:
        """Draw ``n_best`` samples for every sentence; what one gets does not depend on the others.

        Args:
            step: the model, one target token at a time.
            state: of B rows, one per sentence.
            request: its ``n_best`` are the samples wanted per sentence; the same one may come twice.

        Returns:
            Per sentence its samples, the most probable first.
        """
        device, sentences = request.source_lengths.device, len(request.source_lengths)
        draft = _Draft(self, request)
        state = state.select(torch.arange(sentences, device=device).repeat_interleave(request.n_best))
        tokens = torch.full((sentences * request.n_best,), request.bos, device=device)
        while len(tokens):
            log_probs, attention, state = step(tokens, state)
            stay, tokens = (part.to(device) for part in draft.advance(log_probs, attention))
            if 0 < len(tokens) < len(log_probs):
                state = state.keep(stay)
        return draft.hypotheses()


class _Draft:
    """Samples in progress, all of it on the CPU; ``log_probs`` is (B, K), -inf where a sample has ended."""

    def __init__(self, sampling: Sampling, request: Request) -> None:
        self.sampling, self.eos, self.forbidden = sampling, request.eos, request.forbidden
        self.source_lengths = request.source_lengths.cpu()
        limits = length_limits(
            self.source_lengths.numpy(),
            min_ratio=sampling.min_ratio,
            max_ratio=sampling.max_ratio,
            max_extra=sampling.max_extra,
        )
        self.minimum, self.maximum = (torch.from_numpy(limit) for limit in limits)
        self.history, self.ranking = History(), Ranking(len(self.source_lengths), request.n_best)
        self.length = 0
        self.sentences = torch.arange(len(self.source_lengths))
        self.log_probs = torch.zeros(len(self.source_lengths), request.n_best, dtype=torch.float64)
        rows = range(len(self.source_lengths)) if request.rows is None else request.rows
        self.chances = self._throw(rows, request.n_best)

    def advance(self, log_probs: Tensor, attention: Tensor) -> tuple[Tensor, Tensor]:
        """Draw one token per sample: (N, V), (N, S) -> sentences that go on (B',) and their tokens (B'·K,)."""
        self.length += 1
        log_probs = log_probs.reshape(*self.log_probs.shape, -1)
        at_limit = self.length >= self.maximum[self.sentences]
        too_short = self.length < self.minimum[self.sentences]
        scores = forbid_(
            log_probs.clone(), eos=self.eos, forbidden=self.forbidden, too_short=too_short, at_limit=at_limit
        )
        tokens = self._draw(scores, self.chances[self.sentences, :, self.length - 1])
        token_log_probs = scores.gather(2, tokens.to(scores.device)[:, :, None])[:, :, 0].cpu().double()
        self.log_probs = self.log_probs + token_log_probs
        self.history.append(
            sentences=self.sentences.numpy(),
            tokens=tokens.numpy(),
            parents=np.broadcast_to(np.arange(tokens.shape[1]), tokens.shape),
            token_log_probs=token_log_probs.numpy(),
            attention=on_host(attention).reshape(*tokens.shape, -1).numpy(),
        )
        self._rank_endings(tokens, token_log_probs, at_limit)
        self.log_probs = self.log_probs.masked_fill(tokens == self.eos, -torch.inf)
        stay = self.log_probs.isfinite().any(1).nonzero().flatten()
        self.sentences, self.log_probs = self.sentences[stay], self.log_probs[stay]
        return stay, tokens[stay].flatten()

    def hypotheses(self) -> list[list[Hypothesis]]:
        """Read the samples back to their first tokens."""
        return [
            [self.history.hypothesis(ending, eos=self.eos, source_length=source_length) for ending in endings]
            for endings, source_length in zip(self.ranking.kept, self.source_lengths.tolist(), strict=True)
        ]

    def _throw(self, rows: Sequence[int], n_best: int) -> Tensor:
        """All the randomness of a call, from one generator per sentence: (B, K, T) numbers in [0, 1)."""
        chances = np.zeros((len(self.maximum), n_best, int(self.maximum.max()) if len(self.maximum) else 0))
        for place, (row, maximum) in enumerate(zip(rows, self.maximum.tolist(), strict=True)):
            chances[place, :, :maximum] = np.random.default_rng([self.sampling.seed, row]).random((n_best, maximum))
        return torch.from_numpy(chances)

    def _draw(self, scores: Tensor, chances: Tensor) -> Tensor:
        """Draw from the distribution as sharpened and cut: (B, K, V), chances (B, K) -> tokens (B, K)."""
        values, tokens = scores.flatten(0, 1), None
        if self.sampling.top_k or self.sampling.top_p < 1:
            values, places = top_candidates(values, self.sampling.top_k or scores.shape[2])
            tokens = places.cpu()
        values = values.cpu().double()
        check_numbers(values.numpy(), self.length)
        best = values.amax(1, keepdim=True).clamp(min=torch.finfo(torch.float64).min)
        weights = ((values - best) / self.sampling.temperature).exp()
        if self.sampling.top_p < 1:
            mass = weights / weights.sum(1, keepdim=True).clamp(min=1)
            weights = weights.masked_fill(mass.cumsum(1) - mass >= self.sampling.top_p, 0.0)
        choice = pick(weights, chances.reshape(-1, 1))
        return (choice if tokens is None else tokens.gather(1, choice)).view(chances.shape)

    def _rank_endings(self, tokens: Tensor, token_log_probs: Tensor, at_limit: Tensor) -> None:
        """Note the samples that end here."""
        for place, row in ((tokens == self.eos) & self.log_probs.isfinite()).nonzero().tolist():
            log_prob = float(self.log_probs[place, row])
            self.ranking.add(
                Ending(
                    sentence=int(self.sentences[place]),
                    row=row,
                    length=self.length,
                    token_log_prob=float(token_log_probs[place, row]),
                    log_prob=log_prob,
                    score=log_prob,
                    finished=not at_limit[place],
                )
            )


def pick(weights: Tensor, chances: Tensor) -> Tensor:
    """Invert the distribution function: weights (N, W), chances (N, 1) in [0, 1) -> places (N, 1).

    A place of weight 0 is never picked, unless the whole row has no other.
    """
    cumulative = weights.cumsum(1)
    total = cumulative[:, -1:]
    # Strictly below the total, whatever the product rounds to.
    target = torch.minimum(chances * total, total.nextafter(torch.zeros_like(total)))
    return torch.searchsorted(cumulative, target, right=True).clamp(max=weights.shape[1] - 1)
