"""Embeddings: ids to vectors whose units are about 1 in size."""

import torch
from torch import Tensor, nn

__all__ = ["Embedding"]


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
