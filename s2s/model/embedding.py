"""Embeddings: ids to vectors whose units are about 1 in size, and what drops out of them."""

import torch
from torch import Tensor, nn

from s2s.model.dropout import dropout

__all__ = ["Embedding", "EmbeddingDropout"]


class Embedding(nn.Module):
    """A table of vectors, ``sqrt(E) W[id]``, with rows of W (V, E) about 1 long (Vaswani et al. 2017, section 3.4).

    So W may also score words, tied with a readout, and what the network reads still has units of about 1.

    Args:
        vocabulary: number of pieces, V.
        size: width, E.
    """

    def __init__(self, vocabulary: int, size: int) -> None:
        super().__init__()
        self.scale = size**0.5
        self.weight = nn.Parameter(torch.empty(vocabulary, size).normal_(0, 1 / self.scale))

    def forward(self, ids: Tensor) -> Tensor:
        """Ids of any shape (…) -> (…, E)."""
        embedded: Tensor = nn.functional.embedding(ids, self.weight) * self.scale
        return embedded


class EmbeddingDropout(nn.Module):
    """Drop units of embeddings, and whole words; what is left is scaled up, so that sums keep their size.

    A word that is dropped is read as zeros, so the network learns to do without it (Gal & Ghahramani 2016, section
    4.2; Sennrich & Zhang 2019, section 3.2).

    Args:
        units: probability to drop a unit.
        words: probability to drop a word.
    """

    def __init__(self, *, units: float, words: float) -> None:
        super().__init__()
        self.units = units
        self.words = words

    def forward(self, embedded: Tensor) -> Tensor:
        """(…, E) -> (…, E)."""
        embedded = dropout(embedded, self.units, self.training)
        if self.words and self.training:
            embedded = embedded * dropout(torch.ones_like(embedded[..., :1]), self.words)
        return embedded
