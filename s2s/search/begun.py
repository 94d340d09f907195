"""A search whose targets begin as somebody says."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic

import torch
from torch import Tensor

from s2s.search.hypothesis import AnyState, Hypothesis, Request, Search, Step

__all__ = ["Begun"]


@dataclass(frozen=True)
class _Begun(Generic[AnyState]):
    """A search state, what is still due of each sentence's beginning, (B, P), -1 for nothing, and tokens written."""

    state: AnyState
    due: Tensor
    written: int

    def select(self, rows: Tensor) -> "_Begun[AnyState]":
        """As the state it holds."""
        return replace(self, state=self.state.select(rows))

    def keep(self, sentences: Tensor) -> "_Begun[AnyState]":
        """As the state it holds."""
        return replace(self, state=self.state.keep(sentences), due=self.due[sentences])


@dataclass(frozen=True)
class Begun:
    """Any search, of targets whose first tokens are given; what follows is the search's own.

    Args:
        search: what goes on from there.
        beginnings: of each sentence, ids; their log-probabilities are the model's and count.
    """

    search: Search
    beginnings: Sequence[Sequence[int]]

    def __call__(self, step: Step[Any], state: Any, request: Request) -> list[list[Hypothesis]]:
        """Search; a sentence whose beginning leaves nothing to write within its limit has no hypotheses."""
        longest = max(map(len, self.beginnings))
        due = torch.full((len(self.beginnings), longest), -1)
        for row, beginning in enumerate(self.beginnings):
            due[row, : len(beginning)] = torch.tensor(beginning, dtype=torch.int64)

        def begun(tokens: Tensor, before: _Begun[Any]) -> tuple[Tensor, Tensor, _Begun[Any]]:
            log_probs, attention, after = step(tokens, before.state)
            if before.written < longest:
                wanted = before.due[:, before.written].repeat_interleave(len(tokens) // len(before.due))
                rows = (wanted >= 0).nonzero()[:, 0]
                alone = torch.full_like(log_probs, -torch.inf)
                alone[rows, wanted[rows]] = log_probs[rows, wanted[rows]]
                log_probs = torch.where((wanted >= 0)[:, None], alone, log_probs)
            return log_probs, attention, replace(before, state=after, written=before.written + 1)

        return self.search(begun, _Begun(state, due.to(request.source_lengths.device), 0), request)
