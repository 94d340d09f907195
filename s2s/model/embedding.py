"""Embeddings: ids to vectors whose units are about 1 in size, and what drops out of them."""

import torch
from torch import Tensor, nn

from s2s.model.draws import WordDraws
from s2s.model.dropout import Dropout

__all__ = ["Embedding", "EmbeddingDropout", "normal_table"]

NOTHING = WordDraws()


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
        self.weight = nn.Parameter(normal_table(vocabulary, size))

    def forward(self, ids: Tensor) -> Tensor:
        """Ids of any shape (…) -> (…, E)."""
        embedded: Tensor = nn.functional.embedding(ids, self.weight) * self.scale
        return embedded


class EmbeddingDropout(nn.Module):
    """Drop units of embeddings, and whole words; what is left is scaled up, so that sums keep their size.

    A word that is dropped is read as zeros, so the network learns to do without it. Ordinary dropout draws at each
    position (Sennrich & Zhang 2019, section 3.2). Variational dropout (Gal & Ghahramani 2016, sections 4.1 and 4.2)
    drops the same units at all positions of a sentence, and words by type: a word is dropped wherever the sentence has
    it, or nowhere.

    Args:
        units: probability to drop a unit.
        words: probability to drop a word.
        variational: draw once for a sentence; see ``draw``.
    """

    def __init__(self, *, units: float, words: float, variational: bool = False) -> None:
        super().__init__()
        self.units = Dropout(units, variational=variational)
        self.words = Dropout(words, variational=variational)

    def draw(self, rows: Tensor, embedding: Embedding) -> WordDraws:
        """Draw what whole sentences keep, of the units and of the words of an embedding, given any tensor (N, …)."""
        vocabulary, size = embedding.weight.shape
        return WordDraws(self.units.draw(rows, size), self.words.draw(rows, vocabulary))

    def forward(self, embedded: Tensor, ids: Tensor, draws: WordDraws = NOTHING) -> Tensor:
        """Thin what was read of ids (N,) or (B, T), given what was drawn for their sentences: (…, E) -> (…, E)."""
        embedded = self.units(embedded, draws.units)
        if draws.words is not None:
            return embedded * draws.words.gather(1, ids.view(len(ids), -1)).view(*ids.shape, 1)
        if self.words.p and self.training:
            embedded = embedded * self.words(torch.ones_like(embedded[..., :1]))
        return embedded


def normal_table(rows: int, width: int) -> Tensor:
    """Draw rows about 1 long: (rows, width). Where a model is but outlined, on the meta device, nothing is drawn.

    Torch would import its compiler for that, which takes longer than to translate a sentence.
    """
    table = torch.empty(rows, width)
    return table if table.is_meta else table.normal_(0, width**-0.5)
