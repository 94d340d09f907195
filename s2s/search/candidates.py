"""The best continuations of every sentence, found without sorting the vocabulary."""

from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor

__all__ = ["best_of_blocks", "top_candidates"]

BLOCK = 64


def top_candidates(scores: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The ``count`` best of every row, or all if fewer, best first: (B, W) -> values and places, both (B, count).

    Of equal scores the one further left wins, which ``topk`` alone does not promise.
    """
    values, places = scores.topk(min(count + 1, scores.shape[1]))
    tied = _tied(values)
    if len(tied):
        every_value, every_place = scores[tied].sort(dim=1, descending=True, stable=True)
        values[tied], places[tied] = every_value[:, : values.shape[1]], every_place[:, : values.shape[1]]
    return values[:, :count], places[:, :count]


def best_of_blocks(log_probs: Tensor, live: Tensor, count: int, *, forbidden: Sequence[int]) -> tuple[Tensor, Tensor]:
    """What ``top_candidates`` finds in ``live + log_probs``, forbidden tokens left out, in one look at all of them.

    The ``count`` best stand in no more than ``count`` blocks of the vocabulary, those with the greatest maxima. So the
    maximum of each block is taken, and the best are sought in the best blocks.

    Args:
        log_probs: of the next token, (B, R, V).
        live: of the R beginnings, (B, R), of the same type.
        count: number of candidates.
        forbidden: ids that never may come.

    Returns:
        values and places in the R·V scores of a sentence, both (B, count); fewer where there are fewer.
    """
    rows, vocabulary = log_probs.shape[1:]
    blocks = -(-vocabulary // BLOCK)
    if blocks * rows <= count + 1:
        return _best_of_all(log_probs, live, count, forbidden)
    allowed = _allowed(vocabulary, tuple(forbidden), log_probs.device)
    maxima = _block_maxima(log_probs, allowed, sorted({token // BLOCK for token in forbidden}))
    _, best = (maxima + live[:, :, None]).flatten(1).topk(count + 1)
    row, block = best // blocks, best % blocks
    tokens = (block * BLOCK)[:, :, None] + torch.arange(BLOCK, device=best.device)
    places = (row * vocabulary)[:, :, None] + tokens.clamp(max=vocabulary - 1)
    found = log_probs.flatten(1).gather(1, places.flatten(1)) + live.gather(1, row).repeat_interleave(BLOCK, dim=1)
    found = found.masked_fill_(~allowed[tokens].flatten(1), -torch.inf)
    values, order = found.topk(count + 1)
    tied = _tied(values)
    values, places = values[:, :count], places.flatten(1).gather(1, order[:, :count])
    if len(tied):
        values[tied], places[tied] = _best_of_all(log_probs[tied], live[tied], count, forbidden)
    return values, places


def _best_of_all(log_probs: Tensor, live: Tensor, count: int, forbidden: Sequence[int]) -> tuple[Tensor, Tensor]:
    """The same from all scores written out."""
    scores = live[:, :, None] + log_probs
    scores[:, :, list(forbidden)] = -torch.inf
    return top_candidates(scores.flatten(1), count)


def _tied(values: Tensor) -> Tensor:
    """The rows with two equal candidates, whose order is to be looked at: sorted (B, C) -> (rows,)."""
    equal = (values[:, 1:] == values[:, :-1]) & (values[:, 1:] > -torch.inf)
    return equal.any(dim=1).nonzero().flatten()


def _block_maxima(log_probs: Tensor, allowed: Tensor, with_forbidden: list[int]) -> Tensor:
    """The greatest allowed log-probability of each block: (B, R, V) -> (B, R, blocks)."""
    whole = log_probs.shape[2] // BLOCK
    maxima = log_probs[:, :, : whole * BLOCK].view(*log_probs.shape[:2], whole, BLOCK).amax(dim=3)
    if whole * BLOCK < log_probs.shape[2]:
        maxima = torch.cat([maxima, log_probs[:, :, whole * BLOCK :].amax(dim=2, keepdim=True)], dim=2)
    for block in with_forbidden:
        part = slice(block * BLOCK, (block + 1) * BLOCK)
        tokens = log_probs[:, :, part]
        maxima[:, :, block] = tokens.masked_fill(~allowed[part][: tokens.shape[2]], -torch.inf).amax(dim=2)
    return maxima


@lru_cache(maxsize=8)
def _allowed(vocabulary: int, forbidden: tuple[int, ...], device: torch.device) -> Tensor:
    """Which tokens may come: the vocabulary and what its last block lacks."""
    tokens = torch.arange(-(-vocabulary // BLOCK) * BLOCK, device=device)
    allowed: Tensor = ~torch.isin(tokens, torch.tensor(forbidden, dtype=torch.long, device=device))
    return allowed & (tokens < vocabulary)
