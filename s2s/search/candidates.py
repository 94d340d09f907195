"""The best continuations of every sentence, found without sorting the vocabulary."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

__all__ = ["best_of_blocks", "top_candidates"]

BLOCK = 64
FEW_SCORES = 2**16  # of all sentences; the best of so few are found sooner without blocks


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
    barred_blocks = sorted({token // BLOCK for token in forbidden})
    sought = count + 1 + rows * len(barred_blocks)
    if sought >= blocks * rows or log_probs.numel() <= FEW_SCORES:
        return _best_of_all(log_probs, live, count, forbidden)
    all_places, barred = _blocks(rows, vocabulary, tuple(forbidden), log_probs.device)
    maxima = _block_maxima(log_probs).add_(live[:, :, None])
    for block in barred_blocks:
        maxima[:, :, block] = torch.inf  # some of its tokens may not come, so all of them are looked at
    _, best = maxima.flatten(1).topk(sought)
    places = all_places[best]
    found = log_probs.flatten(1).gather(1, places.flatten(1)).view(places.shape)
    found = (found + live.gather(1, best // blocks)[:, :, None]).masked_fill_(barred[best], -torch.inf)
    values, order = found.flatten(1).topk(count + 1)
    tied = _tied(values)
    values, places = values[:, :count], places.flatten(1).gather(1, order[:, :count])
    if len(tied):
        values[tied], places[tied] = _best_of_all(log_probs[tied], live[tied], count, forbidden)
    return values, places


def _best_of_all(log_probs: Tensor, live: Tensor, count: int, forbidden: Sequence[int]) -> tuple[Tensor, Tensor]:
    """The same from all scores written out."""
    scores = live[:, :, None] + log_probs
    for token in forbidden:
        scores[:, :, token] = -torch.inf
    return top_candidates(scores.flatten(1), count)


def _tied(values: Tensor) -> Tensor:
    """The rows with two equal candidates, whose order is to be looked at: sorted (B, C) -> (rows,)."""
    sorted_ = values.cpu().double().numpy()
    equal = (sorted_[:, 1:] == sorted_[:, :-1]) & (sorted_[:, 1:] > -np.inf)
    return torch.from_numpy(np.flatnonzero(equal.any(axis=1))).to(values.device)


def _block_maxima(log_probs: Tensor) -> Tensor:
    """The greatest log-probability of each block: (B, R, V) -> (B, R, blocks)."""
    whole = log_probs.shape[2] // BLOCK
    maxima = log_probs[:, :, : whole * BLOCK].view(*log_probs.shape[:2], whole, BLOCK).amax(dim=3)
    if whole * BLOCK < log_probs.shape[2]:
        maxima = torch.cat([maxima, log_probs[:, :, whole * BLOCK :].amax(dim=2, keepdim=True)], dim=2)
    return maxima


@lru_cache(maxsize=8)
def _blocks(rows: int, vocabulary: int, forbidden: tuple[int, ...], device: torch.device) -> tuple[Tensor, Tensor]:
    """Of every block of every row, the places in the R·V scores of a sentence and whether they are barred.

    Both (R·blocks, BLOCK); where the last block has no token, the place is that of the last one, and barred.
    """
    tokens = torch.arange(-(-vocabulary // BLOCK) * BLOCK, device=device)
    barred = torch.isin(tokens, torch.tensor(forbidden, dtype=torch.long, device=device)) | (tokens >= vocabulary)
    first = torch.arange(0, rows * vocabulary, vocabulary, device=device)
    places = first[:, None] + tokens.clamp(max=vocabulary - 1)
    return places.view(-1, BLOCK), barred.repeat(rows).view(-1, BLOCK)
