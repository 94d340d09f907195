"""The whole model, and the one function that derives every size which follows from another."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor, nn

from s2s.errors import InputError
from s2s.model.attention import Attention, Memory
from s2s.model.bridge import Bridge
from s2s.model.decoder import Decoder, DecoderState, DecoderStep
from s2s.model.dropout import Dropout, Dropouts
from s2s.model.embedding import Embedding, EmbeddingDropout
from s2s.model.encoder import Encoded, Encoder, NoEncoder, build_encoder
from s2s.model.readout import Readout
from s2s.model.recurrent import Recurrent
from s2s.model.window import Window
from s2s.text.batching import Batch, Sequences
from s2s.text.tokenizer import BOS

__all__ = ["Seq2Seq", "assembled", "build_seq2seq", "check_sharing", "check_sizes"]


class Seq2Seq(nn.Module):
    """An encoder, a bridge, a decoder and a readout.

    Training, scoring, search and pictures all come through ``start`` and the decoder's ``step``.

    Args:
        encoder, bridge, decoder, readout: the parts.
        embedding: target embedding (V, E).
        dropout: of the target embeddings.
    """

    def __init__(
        self,
        *,
        encoder: Encoder | NoEncoder,
        bridge: Bridge,
        decoder: Decoder,
        readout: Readout,
        embedding: Embedding,
        dropout: EmbeddingDropout,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.bridge = bridge
        self.decoder = decoder
        self.readout = readout
        self.embedding = embedding
        self.dropout = dropout

    @property
    def reads_source(self) -> bool:
        """Whether it translates; else it is a language model."""
        return not isinstance(self.encoder, NoEncoder)

    def start(self, source: Sequences) -> tuple[DecoderState, Memory]:
        """Read the source: the state before the first target token, one row per sentence, and the memory."""
        return self.begin(self.encoder(source))

    def begin(self, encoded: Encoded) -> tuple[DecoderState, Memory]:
        """As ``start``, of what the encoder saw."""
        state, memory = self.decoder.start(encoded, self.bridge(encoded))
        words = self.dropout.draw(encoded.values, self.embedding)
        output = self.readout.dropout.draw(encoded.values, self.readout.weight.shape[1])
        return replace(state, draws=replace(state.draws, words=words, output=output)), memory

    def step(self, tokens: Tensor, state: DecoderState, memory: Memory) -> DecoderStep:
        """Write one target position, given the tokens before it, (N,)."""
        return self.decoder.step(self.dropout(self.embedding(tokens), tokens, state.draws.words), state, memory)

    def forward(self, batch: Batch, *, truth: float = 1.0) -> tuple[Tensor, Tensor]:
        """Write the batch's targets by teacher forcing.

        Args:
            batch: sources and targets; where there are more targets, every source has as many, which stand together.
            truth: probability, at each position, to read the true token before it; the model's own draw is read
                otherwise (scheduled sampling, Bengio et al. 2015, section 2.4).

        Returns:
            features (B, T, R), from which ``readout.weight`` and ``readout.bias`` make the scores of the vocabulary,
            and attention (B, T, S); position t reads the tokens before t.
        """
        if batch.target is None:
            raise InputError("teacher forcing needs targets, got a batch of sources alone; give both sides")
        return self.write(batch.target, *self.start(batch.source), truth=truth)

    def write(
        self, target: Sequences, state: DecoderState, memory: Memory, *, truth: float = 1.0
    ) -> tuple[Tensor, Tensor]:
        """As ``forward``, given what ``start`` or ``begin`` made of the sources."""
        if (rows := len(target.ids)) > (sources := len(memory.mask)):
            state = state.select(torch.arange(sources, device=memory.mask.device).repeat_interleave(rows // sources))
        before = nn.functional.pad(target.ids[:, :-1], (1, 0), value=BOS)
        if truth < 1:
            outputs, attention = self._write_with_draws(before, state, memory, truth)
        else:
            embedded = self.dropout(self.embedding(before), before, state.draws.words)
            outputs, attention = self.decoder(embedded, state, memory)
        return self.readout.features(outputs, state.draws.output), attention

    def _write_with_draws(
        self, before: Tensor, state: DecoderState, memory: Memory, truth: float
    ) -> tuple[Tensor, Tensor]:
        """Write targets of which some tokens are the model's own: ids (B, T) -> outputs (B, T, O), attention (B, T, S).

        No gradient goes through a draw.
        """
        drawn, outputs, attention = before[:, 0], [], []
        for true in before.unbind(dim=1):
            is_true = torch.rand(true.shape, device=true.device) < truth
            step = self.step(torch.where(is_true, true, drawn), state, memory)
            with torch.no_grad():
                features = self.readout.features(step.output, state.draws.output)
                probabilities = self.readout.log_probs(features).exp()
                # What `multinomial(1)` does, which also asks the device whether these are probabilities.
                drawn = (probabilities / torch.empty_like(probabilities).exponential_()).argmax(dim=1)
            state = step.state
            outputs.append(step.output)
            attention.append(step.attention)
        return torch.stack(outputs, dim=1), torch.stack(attention, dim=1)


def build_seq2seq(
    *,
    source_vocabulary: int,
    target_vocabulary: int,
    rnn: Callable[..., Recurrent],
    encoder_rnn: Callable[..., Recurrent] | None,
    attention: Callable[..., Attention],
    window: Callable[..., Window],
    bridge: Callable[..., Bridge],
    decoder: Callable[..., Decoder],
    readout: Callable[..., Readout],
    embedding_size: int,
    hidden_size: int,
    encoder_size: int | None,
    feature_size: int | None,
    num_layers: int,
    encoder_layers: int | None,
    decoder_layers: int | None,
    forward_layers: int,
    bidirectional: bool,
    reverse_source: bool,
    dropout: float,
    source_word_dropout: float,
    target_word_dropout: float,
    share_embeddings: bool,
    tie_readout: bool,
    embedding_dropout: float | None = None,
    layer_dropout: float | None = None,
    output_dropout: float | None = None,
    recurrent_dropout: float = 0.0,
    context_dropout: float = 0.0,
    variational: bool = False,
) -> Seq2Seq:
    """Put a model together.

    Args:
        source_vocabulary, target_vocabulary: numbers of pieces, V.
        rnn, attention, window, bridge, decoder, readout: how to make the parts, given their sizes.
        encoder_rnn: how to make the encoder's layers, where its cell is another than the decoder's; None for ``rnn``.
        embedding_size: E.
        hidden_size: width of the decoder state, H.
        encoder_size: width of the encoder states, D, both directions together; None for H.
        feature_size: width of the features before the vocabulary, R; None for E where the readout is tied, else for H.
        num_layers: number of layers, of the encoder and of the decoder where they have none of their own.
        encoder_layers, decoder_layers: numbers of layers, L.
        forward_layers: encoder layers above these that read forward alone.
        bidirectional: whether the encoder reads in both directions.
        reverse_source: whether the encoder reads from the end of the sentence.
        dropout: probability to drop a unit of embeddings, between layers, and of readout features; their own, which
            None leaves to it, are ``embedding_dropout``, ``layer_dropout`` and ``output_dropout``.
        recurrent_dropout, context_dropout, variational: as in ``Dropouts``.
        source_word_dropout, target_word_dropout: probability to drop a word.
        share_embeddings: one embedding for source and target; needs one vocabulary.
        tie_readout: the readout's words are the target embedding (Press & Wolf 2017); features are then E wide.

    Raises:
        InputError: sizes that do not go together.
    """
    encoder_size = hidden_size if encoder_size is None else encoder_size
    if feature_size is None:
        feature_size = embedding_size if tie_readout else hidden_size
    check_sizes(embedding=embedding_size, hidden=hidden_size, encoder=encoder_size, feature=feature_size)
    if bidirectional and encoder_size % 2:
        raise InputError(
            f"model.encoder_size={encoder_size} cannot be shared by two directions; give an even number or set "
            "model.bidirectional=false"
        )
    dropouts = Dropouts.where_unset(
        dropout,
        embedding=embedding_dropout,
        layer=layer_dropout,
        output=output_dropout,
        recurrent=recurrent_dropout,
        context=context_dropout,
        source_word=source_word_dropout,
        target_word=target_word_dropout,
        variational=variational,
    )
    check_sharing(
        (source_vocabulary, target_vocabulary) if share_embeddings else None,
        (feature_size, embedding_size) if tie_readout else None,
    )
    source_embedding = Embedding(source_vocabulary, embedding_size)
    target_embedding = source_embedding if share_embeddings else Embedding(target_vocabulary, embedding_size)
    encoder = build_encoder(
        encoder_rnn or rnn,
        source_embedding,
        size=encoder_size,
        num_layers=num_layers if encoder_layers is None else encoder_layers,
        forward_layers=forward_layers,
        bidirectional=bidirectional,
        reverse=reverse_source,
        dropouts=dropouts,
    )
    built_decoder = decoder(
        rnn=rnn,
        attention=partial(attention, window=window(hidden_size)),
        embedding_size=embedding_size,
        hidden_size=hidden_size,
        memory_size=encoder_size,
        num_layers=num_layers if decoder_layers is None else decoder_layers,
        dropouts=dropouts,
    )
    return assembled(
        encoder=encoder,
        bridge=bridge,
        decoder=built_decoder,
        readout=readout,
        embedding=target_embedding,
        feature_size=feature_size,
        tied=tie_readout,
        dropouts=dropouts,
    )


def assembled(
    *,
    encoder: Encoder | NoEncoder,
    bridge: Callable[..., Bridge],
    decoder: Decoder,
    readout: Callable[..., Readout],
    embedding: Embedding,
    feature_size: int,
    tied: bool,
    dropouts: Dropouts,
) -> Seq2Seq:
    """Make what follows from an encoder and a decoder, and the model; see ``build_seq2seq``."""
    built_readout = readout(
        decoder.output_size,
        feature_size=feature_size,
        vocabulary_size=len(embedding.weight),
        dropout=Dropout(dropouts.output, variational=dropouts.variational),
        weight=embedding.weight if tied else None,
    )
    return Seq2Seq(
        encoder=encoder,
        bridge=bridge(encoder, decoder=decoder),
        decoder=decoder,
        readout=built_readout,
        embedding=embedding,
        dropout=EmbeddingDropout(
            units=dropouts.embedding, words=dropouts.target_word, variational=dropouts.variational
        ),
    )


def check_sizes(**sizes: int) -> None:
    """Raise an InputError for a size that cannot be built."""
    for name, size in sizes.items():
        if size < 1:
            raise InputError(f"model.{name}_size={size} is no width; give 1 or more")


def check_sharing(vocabularies: tuple[int, int] | None, widths: tuple[int, int] | None) -> None:
    """Raise an InputError where the two sides of what is shared differ; None is not shared.

    Args:
        vocabularies: source and target, of shared embeddings.
        widths: features and embedding, of a tied readout.
    """
    if widths and widths[0] != widths[1]:
        raise InputError(
            f"a tied readout has the embedding's width, got model.feature_size={widths[0]} and "
            f"model.embedding_size={widths[1]}; make them equal or set model.tie_readout=false"
        )
    if vocabularies and vocabularies[0] != vocabularies[1]:
        raise InputError(
            f"model.share_embeddings needs one vocabulary, got {vocabularies[0]} source and {vocabularies[1]} "
            "target pieces; set tokenizer.joint=true"
        )
