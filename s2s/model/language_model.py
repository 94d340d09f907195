"""Language models: a decoder that reads no source, P(w_1 … w_T) by the chain rule.

They have the face of a translator, ``start`` and ``step``, so all that searches, scores and looks inside serves them.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from s2s.model.attention import NoAttention
from s2s.model.bridge import ZeroBridge
from s2s.model.decoder_unattended import SutskeverDecoder
from s2s.model.dropout import Dropouts, check_probabilities
from s2s.model.embedding import Embedding
from s2s.model.encoder import NoEncoder
from s2s.model.readout import Readout
from s2s.model.recurrent import Recurrent, RecurrentState
from s2s.model.seq2seq import Seq2Seq, assembled, check_sharing, check_sizes
from s2s.text.batching import Sequences
from s2s.text.tokenizer import BOS, EOS

__all__ = ["Carried", "build_language_model", "read_on"]


@dataclass(frozen=True)
class Carried:
    """What is remembered of a text so far: the layers' state, parts of (B, L, H), and the last token, (B,)."""

    rnn: RecurrentState
    last: Tensor

    def to(self, device: torch.device) -> "Carried":
        """Copy to a device."""
        return Carried(tuple(part.to(device) for part in self.rnn), self.last.to(device))

    def where(self, flag: Tensor) -> "Carried":
        """The same where the flag, (), is true; else what a text begins with."""
        return Carried(tuple(part.masked_fill(~flag, 0) for part in self.rnn), self.last.masked_fill(~flag, EOS))


def build_language_model(
    *,
    source_vocabulary: int,
    target_vocabulary: int,
    rnn: Callable[..., Recurrent],
    readout: Callable[..., Readout],
    embedding_size: int,
    hidden_size: int,
    feature_size: int | None,
    num_layers: int,
    dropout: float,
    embedding_dropout: float | None,
    layer_dropout: float | None,
    output_dropout: float | None,
    recurrent_dropout: float,
    word_dropout: float,
    variational: bool,
    tie_readout: bool,
) -> Seq2Seq:
    """Put a recurrent language model together (Mikolov et al. 2010; Sundermeyer, Schlüter & Ney 2012).

    ``h_t = rnn(w_{t-1}, h_{t-1})``, from zeros before the first word, and ``p(w_t) = softmax(W f(h_t) + b)``.

    Args:
        source_vocabulary, target_vocabulary: number of pieces, V; one tokenizer serves for both.
        rnn, readout: how to make the parts, given their sizes.
        embedding_size: E.
        hidden_size: width of the state, H.
        feature_size: width of the features before the vocabulary, R; None for E where the readout is tied, else for H.
        num_layers: L.
        dropout, embedding_dropout, layer_dropout, output_dropout, recurrent_dropout, variational: as in
            ``build_seq2seq``.
        word_dropout: probability to drop a word.
        tie_readout: the readout's words are the embedding (Press & Wolf 2017); features are then E wide.

    Raises:
        InputError: sizes that do not go together.
    """
    if feature_size is None:
        feature_size = embedding_size if tie_readout else hidden_size
    check_sizes(embedding=embedding_size, hidden=hidden_size, feature=feature_size)
    check_sharing((source_vocabulary, target_vocabulary), (feature_size, embedding_size) if tie_readout else None)
    check_probabilities("model", word_dropout=word_dropout)
    dropouts = Dropouts.where_unset(
        dropout,
        embedding=embedding_dropout,
        layer=layer_dropout,
        output=output_dropout,
        recurrent=recurrent_dropout,
        target_word=word_dropout,
        variational=variational,
    )
    embedding = Embedding(target_vocabulary, embedding_size)
    encoder = NoEncoder(embedding)
    decoder = SutskeverDecoder(
        rnn=rnn,
        attention=NoAttention,
        embedding_size=embedding_size,
        hidden_size=hidden_size,
        memory_size=encoder.output_size,
        num_layers=num_layers,
        dropouts=dropouts,
    )
    return assembled(
        encoder=encoder,
        bridge=ZeroBridge,
        decoder=decoder,
        readout=readout,
        embedding=embedding,
        feature_size=feature_size,
        tied=tie_readout,
        dropouts=dropouts,
    )


def read_on(model: Seq2Seq, tokens: Tensor, carried: Carried | None = None) -> tuple[Tensor, Carried]:
    """Read a part of running texts, going on from the part before.

    The first word of a line is predicted as in a line that stands alone, by BOS, but from the state that the lines
    before have left. No gradient goes back beyond the part (truncated back-propagation through time; Williams & Peng
    1990).

    Args:
        model: a language model.
        tokens: (B, T), EOS at the end of each line.
        carried: what the part before left; None at the beginning of the texts.

    Returns:
        features (B, T, R), of which the readout makes the scores of ``tokens``, and what to carry on.
    """
    nothing = Sequences(torch.full_like(tokens[:, :1], EOS), torch.ones(len(tokens), dtype=torch.int64))
    state, _ = model.start(nothing)
    last = tokens.new_full((len(tokens),), EOS)
    if carried is not None:
        state, last = replace(state, rnn=carried.rnn), carried.last
    before = torch.cat([last[:, None], tokens[:, :-1]], dim=1)
    before = before.masked_fill(before == EOS, BOS)
    embedded = model.dropout(model.embedding(before), before, state.draws.words)
    outputs, rnn = model.decoder.recurrent.scan(embedded, state=state.rnn, draws=state.draws.layers[0])
    features = model.readout.features(outputs, state.draws.output)
    return features, Carried(tuple(part.detach() for part in rnn), tokens[:, -1])
