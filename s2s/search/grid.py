"""One beam search for many settings of its penalties."""

from dataclasses import dataclass, replace

import torch

from s2s.search.beam import BeamSearch
from s2s.search.hypothesis import AnyState, Hypothesis, Request, Step

__all__ = ["PenaltyGrid"]


@dataclass(frozen=True)
class PenaltyGrid:
    """What beam search would find with each of several penalties, by one search.

    Penalties rank what has ended; what lives on is chosen by log-probability alone. So all settings share one search,
    which goes on with a sentence until none of them can change any more.

    Args:
        search: beam size and limits of length; its own penalties play no part.
        penalties: alpha and beta of each setting, as ``length_penalty`` and ``coverage_penalty`` of ``BeamSearch``.
    """

    search: BeamSearch
    penalties: tuple[tuple[float, float], ...]

    @torch.inference_mode()
    def __call__(self, step: Step[AnyState], state: AnyState, request: Request) -> list[list[Hypothesis]]:
        """Search; see ``BeamSearch``, but a sentence's hypotheses are the best of each setting, in their order."""
        board = self.search.board(replace(request, n_best=1), self.penalties)
        board.play(step, state)
        found = [board.hypotheses(setting) for setting in range(len(self.penalties))]
        return [[best for own in of_sentence for best in own] for of_sentence in zip(*found, strict=True)]
