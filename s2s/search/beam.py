"""Beam search. A beam of one is greedy search."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from s2s.errors import InputError
from s2s.search.board import BeamStep, Board
from s2s.search.hypothesis import AnyState, Hypothesis, Request, Step
from s2s.search.penalties import check_limits, length_limits

__all__ = ["BeamSearch", "BeamStep"]

MOST_ROWS = 1_000


@dataclass(frozen=True, kw_only=True)
class BeamSearch:
    """Keep the ``beam_size`` most probable beginnings of a target; rank what ends by a score that minds its length.

    ``score = log_prob / lp(Y) + cp(X; Y)``, Wu et al. (2016), eq. 14. A candidate that ends counts when it is among the
    best ``beam_size`` of its step; the best ``beam_size`` others live on. A sentence stops when nothing alive can
    still change its ``n_best`` (Huang, Zhao & Ma 2017), unless by targets that are too long to be awaited; a beam of
    one stops at its first EOS, which makes it greedy.

    Args:
        beam_size: rows per sentence, K.
        length_penalty: alpha; 0 ranks by log-probability, higher favours longer targets.
        coverage_penalty: beta; 0 is none, higher favours targets that looked at every source position.
        min_ratio: a target has at least ``floor(min_ratio * source_length)`` tokens, EOS counted on both sides.
        max_ratio: and at most ``floor(max_ratio * source_length) + max_extra``, though never less than EOS itself.
        max_extra: see ``max_ratio``.
        overtake_ratio: a target is awaited until it has ``floor(overtake_ratio * length) + 3`` tokens, by the length of
            the longest that its sentence has kept. Where the penalty favours length, the best there could be beyond
            that is a target that goes on to its limit at no cost, and waiting for it hardly ever pays. None waits.
    """

    beam_size: int = 5
    length_penalty: float = 1.0
    coverage_penalty: float = 0.0
    min_ratio: float = 0.0
    max_ratio: float = 2.0
    max_extra: int = 10
    overtake_ratio: float | None = 1.25

    def __post_init__(self) -> None:
        if self.beam_size < 1:
            raise InputError(f"beam_size must be 1 or more, got {self.beam_size}; 1 is greedy search")
        if self.beam_size > MOST_ROWS:
            raise InputError(f"beam_size must be at most {MOST_ROWS:,}, got {self.beam_size}; 5 to 50 are usual")
        if not math.isfinite(self.length_penalty):
            raise InputError(f"length_penalty must be a finite number, got {self.length_penalty}; 0 turns it off")
        if not 0 <= self.coverage_penalty < math.inf:
            raise InputError(f"coverage_penalty must be finite and not below 0, got {self.coverage_penalty}; 0 is none")
        if self.overtake_ratio is not None and not 1 <= self.overtake_ratio < math.inf:
            raise InputError(
                f"overtake_ratio must be 1 or more, got {self.overtake_ratio}; null waits for targets of any length"
            )
        check_limits(min_ratio=self.min_ratio, max_ratio=self.max_ratio, max_extra=self.max_extra)

    @torch.inference_mode()
    def __call__(
        self,
        step: Step[AnyState],
        state: AnyState,
        request: Request,
        *,
        watch: Callable[[BeamStep], None] | None = None,
    ) -> list[list[Hypothesis]]:
        """Search for every sentence's best hypotheses; what one gets does not depend on the others.

        Args:
            step: the model, one target token at a time.
            state: of B rows, one per sentence.
            request: of at most ``beam_size`` hypotheses.
            watch: is shown every step.

        Returns:
            Per sentence ``n_best`` hypotheses, best first, or as many as have a probability above 0.
        """
        if request.n_best > self.beam_size:
            raise InputError(
                f"n_best must be at most beam_size, got {request.n_best} and {self.beam_size}; raise beam_size or ask "
                "for fewer"
            )
        board = self.board(request, [(self.length_penalty, self.coverage_penalty)])
        board.play(step, state, watch=watch)
        return board.hypotheses()

    def board(self, request: Request, penalties: Sequence[tuple[float, float]]) -> Board:
        """Make the board for a search with this beam size and these limits, and with the penalties given."""
        limits = length_limits(
            request.source_lengths.cpu().numpy(),
            min_ratio=self.min_ratio,
            max_ratio=self.max_ratio,
            max_extra=self.max_extra,
        )
        return Board(request, limits, beam_size=self.beam_size, penalties=penalties, overtake_ratio=self.overtake_ratio)
