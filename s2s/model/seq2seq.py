"""The whole model, and the one function that derives every size which follows from another."""

from collections.abc import Callable

from torch import Tensor, nn

from s2s.errors import InputError
from s2s.model.attention import Attention, Memory
from s2s.model.bridge import Bridge
from s2s.model.decoder import Decoder, DecoderState, DecoderStep
from s2s.model.embedding import Embedding
from s2s.model.encoder import Encoder
from s2s.model.readout import Readout
from s2s.model.recurrent import Recurrent
from s2s.text.batching import Batch, Sequences
from s2s.text.tokenizer import BOS

__all__ = ["Seq2Seq", "build_seq2seq"]


class Seq2Seq(nn.Module):
    """An encoder, a bridge, a decoder and a readout.

    Training, scoring, search and pictures all come through ``start`` and the decoder's ``step``.

    Args:
        encoder, bridge, decoder, readout: the parts.
        embedding: target embedding (V, E).
        dropout: probability to drop a unit of the target embeddings.
    """

    def __init__(
        self,
        *,
        encoder: Encoder,
        bridge: Bridge,
        decoder: Decoder,
        readout: Readout,
        embedding: Embedding,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.bridge = bridge
        self.decoder = decoder
        self.readout = readout
        self.embedding = embedding
        self.dropout = nn.Dropout(dropout)

    def start(self, source: Sequences) -> tuple[DecoderState, Memory]:
        """Read the source: the state before the first target token, one row per sentence, and the memory."""
        encoded = self.encoder(source)
        return self.decoder.start(encoded, self.bridge(encoded))

    def step(self, tokens: Tensor, state: DecoderState, memory: Memory) -> DecoderStep:
        """Write one target position, given the tokens before it, (N,)."""
        return self.decoder.step(self.dropout(self.embedding(tokens)), state, memory)

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Write the batch's targets by teacher forcing.

        Returns:
            features (B, T, R), from which ``readout.weight`` and ``readout.bias`` make the scores of the vocabulary,
            and attention (B, T, S); position t reads the tokens before t.
        """
        if batch.target is None:
            raise InputError("teacher forcing needs targets, got a batch of sources alone; give both sides")
        state, memory = self.start(batch.source)
        before = nn.functional.pad(batch.target.ids[:, :-1], (1, 0), value=BOS)
        outputs, attention = self.decoder(self.dropout(self.embedding(before)), state, memory)
        return self.readout.features(outputs), attention


def build_seq2seq(
    *,
    source_vocabulary: int,
    target_vocabulary: int,
    rnn: Callable[..., Recurrent],
    attention: Callable[..., Attention],
    bridge: Callable[..., Bridge],
    decoder: Callable[..., Decoder],
    readout: Callable[..., Readout],
    embedding_size: int,
    hidden_size: int,
    encoder_size: int | None,
    num_layers: int,
    encoder_layers: int | None,
    decoder_layers: int | None,
    bidirectional: bool,
    dropout: float,
    share_embeddings: bool,
    tie_readout: bool,
) -> Seq2Seq:
    """Put a model together.

    Args:
        source_vocabulary, target_vocabulary: numbers of pieces, V.
        rnn, attention, bridge, decoder, readout: how to make the parts, given their sizes.
        embedding_size: E.
        hidden_size: width of the decoder state, H.
        encoder_size: width of the encoder states, D, both directions together; None for H.
        num_layers: number of layers, of the encoder and of the decoder where they have none of their own.
        encoder_layers, decoder_layers: numbers of layers, L.
        bidirectional: whether the encoder reads in both directions.
        dropout: probability to drop a unit of embeddings, between layers, and of readout features.
        share_embeddings: one embedding for source and target; needs one vocabulary.
        tie_readout: the readout's words are the target embedding (Press & Wolf 2017); features are then E wide.

    Raises:
        InputError: sizes that do not go together.
    """
    directions = 2 if bidirectional else 1
    encoder_size = hidden_size if encoder_size is None else encoder_size
    _check_sizes(embedding_size, hidden_size, encoder_size, directions, dropout)
    if share_embeddings and source_vocabulary != target_vocabulary:
        raise InputError(
            f"model.share_embeddings needs one vocabulary, got {source_vocabulary} source and {target_vocabulary} "
            "target pieces; set tokenizer.joint=true"
        )
    source_embedding = Embedding(source_vocabulary, embedding_size)
    target_embedding = source_embedding if share_embeddings else Embedding(target_vocabulary, embedding_size)
    encoder_recurrent = rnn(
        embedding_size,
        hidden_size=encoder_size // directions,
        num_layers=num_layers if encoder_layers is None else encoder_layers,
        bidirectional=bidirectional,
        dropout=dropout,
    )
    built_decoder = decoder(
        rnn=rnn,
        attention=attention,
        embedding_size=embedding_size,
        hidden_size=hidden_size,
        memory_size=encoder_size,
        num_layers=num_layers if decoder_layers is None else decoder_layers,
        dropout=dropout,
    )
    built_readout = readout(
        built_decoder.output_size,
        feature_size=embedding_size if tie_readout else hidden_size,
        vocabulary_size=target_vocabulary,
        dropout=dropout,
        weight=target_embedding.weight if tie_readout else None,
    )
    return Seq2Seq(
        encoder=Encoder(source_embedding, recurrent=encoder_recurrent, dropout=dropout),
        bridge=bridge(encoder_recurrent, decoder=built_decoder.recurrent),
        decoder=built_decoder,
        readout=built_readout,
        embedding=target_embedding,
        dropout=dropout,
    )


def _check_sizes(embedding: int, hidden: int, encoder: int, directions: int, dropout: float) -> None:
    """Raise an InputError for a size that cannot be built."""
    for name, size in (("embedding", embedding), ("hidden", hidden), ("encoder", encoder)):
        if size < 1:
            raise InputError(f"model.{name}_size={size} is no width; give 1 or more")
    if encoder % directions:
        raise InputError(
            f"model.encoder_size={encoder} cannot be shared by two directions; give an even number or set "
            "model.bidirectional=false"
        )
    if not 0 <= dropout < 1:
        raise InputError(f"model.dropout={dropout} is no probability below 1; give a number from 0 to 0.9")
