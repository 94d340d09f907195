"""The encoder: source ids to one state per position."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from s2s.model.dropout import Dropout, Dropouts
from s2s.model.embedding import Embedding, EmbeddingDropout
from s2s.model.layer_scan import reversed_rows
from s2s.model.recurrent import Recurrent, RecurrentState
from s2s.text.batching import Sequences

__all__ = ["Encoded", "Encoder", "NoEncoder", "build_encoder"]


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
        dropout: of the embeddings.
        context: dropout of the states, as attention reads them; the final state stays whole.
        recurrent: the layers, usually in both directions, so that a state knows the words on either side.
        upper: layers above them that read forward alone (Wu et al. 2016, section 3.2); None for none.
        reverse: read the sentence from its end (Sutskever, Vinyals & Le 2014, section 3.3); states stay in its order.
    """

    def __init__(
        self,
        embedding: Embedding,
        *,
        dropout: EmbeddingDropout,
        context: Dropout,
        recurrent: Recurrent,
        upper: Recurrent | None = None,
        reverse: bool = False,
    ) -> None:
        super().__init__()
        self.embedding = embedding
        self.dropout = dropout
        self.context = context
        self.recurrent = recurrent
        self.upper = upper
        self.reverse = reverse
        self.num_layers = recurrent.num_layers + (upper.num_layers if upper else 0)
        self.output_size = recurrent.output_size
        self.state_parts = recurrent.state_parts

    def forward(self, source: Sequences) -> Encoded:
        """Encode source sentences: ids (B, S) -> Encoded."""
        ids, lengths = source.ids, source.lengths
        read = reversed_rows(ids, lengths) if self.reverse else ids
        embedded = self.embedding(read)
        embedded = self.dropout(embedded, read, self.dropout.draw(embedded, self.embedding))
        values, final = self.recurrent.scan(embedded, lengths=lengths)
        if self.upper is not None:
            values, above = self.upper.scan(values, lengths=lengths)
            final = tuple(torch.cat(parts, dim=1) for parts in zip(final, above, strict=True))
        values = self.context(values, self.context.draw(values, self.output_size))
        return Encoded(reversed_rows(values, lengths) if self.reverse else values, source.mask, final)


class NoEncoder(nn.Module):
    """What stands in place of an encoder where there is no source to read: states of width 0.

    Args:
        embedding: of the language that is written.
    """

    num_layers = state_parts = output_size = 0
    reverse = False

    def __init__(self, embedding: Embedding) -> None:
        super().__init__()
        self.embedding = embedding

    def forward(self, source: Sequences) -> Encoded:
        """Read nothing: ids (B, S) -> Encoded."""
        return Encoded(self.embedding.weight.new_zeros(*source.ids.shape, 0), source.mask, ())


def build_encoder(
    rnn: Callable[..., Recurrent],
    embedding: Embedding,
    *,
    size: int,
    num_layers: int,
    forward_layers: int,
    bidirectional: bool,
    reverse: bool,
    dropouts: Dropouts,
) -> Encoder:
    """Put an encoder of states of this size together, D."""
    variational = dropouts.variational
    return Encoder(
        embedding,
        dropout=EmbeddingDropout(units=dropouts.embedding, words=dropouts.source_word, variational=variational),
        context=Dropout(dropouts.context, variational=variational),
        recurrent=rnn(
            embedding.weight.shape[1],
            hidden_size=size // 2 if bidirectional else size,
            num_layers=num_layers,
            bidirectional=bidirectional,
            dropouts=dropouts,
        ),
        upper=rnn(size, hidden_size=size, num_layers=forward_layers, dropouts=dropouts) if forward_layers else None,
        reverse=reverse,
    )
