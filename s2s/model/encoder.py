"""The encoder: source ids to one state per position."""

from dataclasses import dataclass

from torch import Tensor, nn

from s2s.model.embedding import Embedding
from s2s.model.recurrent import Recurrent, RecurrentState
from s2s.text.batching import Sequences

__all__ = ["Encoded", "Encoder"]


@dataclass(frozen=True)
class Encoded:
    """What the encoder saw: ``values`` (B, S, D), ``mask`` (B, S), ``final`` one (B, L, D) per state part."""

    values: Tensor
    mask: Tensor
    final: RecurrentState


class Encoder(nn.Module):
    """Embed and read a source sentence (Bahdanau, Cho & Bengio 2015, appendix A.2.1).

    Args:
        embedding: source embedding (V, E).
        recurrent: the layers, usually in both directions, so that a state knows the words on either side.
        dropout: probability to drop a unit of the embeddings.
    """

    def __init__(self, embedding: Embedding, *, recurrent: Recurrent, dropout: float = 0.0) -> None:
        super().__init__()
        self.embedding = embedding
        self.recurrent = recurrent
        self.dropout = nn.Dropout(dropout)

    def forward(self, source: Sequences) -> Encoded:
        """Encode source sentences: ids (B, S) -> Encoded."""
        embedded = self.dropout(self.embedding(source.ids))
        values, final = self.recurrent.scan(embedded, lengths=source.lengths)
        return Encoded(values, source.mask, final)
