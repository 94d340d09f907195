"""Decoders that look at nothing, as controls: what attention is worth shows beside them."""

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from s2s.errors import InputError
from s2s.model.attention import Attention, Memory
from s2s.model.decoder import Decoder, DecoderState, DecoderStep
from s2s.model.dropout import Dropouts
from s2s.model.encoder import Encoded
from s2s.model.product import Linear
from s2s.model.recurrent import Recurrent

__all__ = ["ChoDecoder", "SutskeverDecoder"]


def _none(attention: Callable[..., Attention], hidden_size: int, memory_size: int, name: str) -> Attention:
    """Build the attention and see that it is none."""
    built = attention(hidden_size, memory_size=memory_size)
    if built.context_size:
        raise InputError(
            f"the {name} decoder looks at nothing, but the attention is {type(built).__name__}; "
            "use model/attention=none, or another model/decoder"
        )
    return built


def _no_weights(embedded: Tensor) -> Tensor:
    """The attention of whole targets: (B, T, E) -> (B, T, 0)."""
    return embedded.new_zeros((*embedded.shape[:2], 0), dtype=torch.promote_types(embedded.dtype, torch.float32))


class SutskeverDecoder(Decoder):
    """The first state is all it knows of the source (Sutskever, Vinyals & Le 2014, section 2).

    ``h_t = rnn(y_{t-1}, h_{t-1})``, and the output is ``h_t``.

    Args:
        attention: none.
        rnn, embedding_size, hidden_size, memory_size, num_layers, dropouts: as in ``BahdanauDecoder``.
    """

    def __init__(
        self,
        *,
        rnn: Callable[..., Recurrent],
        attention: Callable[..., Attention],
        embedding_size: int,
        hidden_size: int,
        memory_size: int,
        num_layers: int,
        dropouts: Dropouts,
    ) -> None:
        super().__init__(
            recurrent=rnn(embedding_size, hidden_size=hidden_size, num_layers=num_layers, dropouts=dropouts),
            attention=_none(attention, hidden_size, memory_size, "sutskever"),
            feed_size=0,
            output_size=hidden_size,
        )

    def step(self, embedded: Tensor, state: DecoderState, memory: Memory) -> DecoderStep:
        """Write one position, given the embedding of the token before it, (N, E)."""
        hidden, rnn = self.recurrent.step(embedded, state.rnn, state.draws.layers[0])
        _, weights, attended = self.attention(hidden, memory, state.attended)
        return DecoderStep(hidden, weights, replace(state, rnn=rnn, attended=attended))

    def forward(self, embedded: Tensor, state: DecoderState, memory: Memory) -> tuple[Tensor, Tensor]:
        """Write whole targets in one scan."""
        outputs, _ = self.recurrent.scan(embedded, state=state.rnn, draws=state.draws.layers[0])
        return outputs, _no_weights(embedded)


class ChoDecoder(Decoder):
    """One summary of the source is read at every position (Cho et al. 2014, section 2.2 and appendix A.1).

    ``c = tanh(V h)`` of the encoder's final state h, ``h'_t = rnn([y_{t-1}; c], h'_{t-1})``; the output
    ``[h'_t; y_{t-1}; c]`` is what the deep output layer reads. The paper starts from ``tanh(V' c)``, the linear
    bridge from ``tanh(V' h)``.

    Args:
        attention: none.
        rnn, embedding_size, hidden_size, memory_size, num_layers, dropouts: as in ``BahdanauDecoder``.
    """

    reads_summary = True

    def __init__(
        self,
        *,
        rnn: Callable[..., Recurrent],
        attention: Callable[..., Attention],
        embedding_size: int,
        hidden_size: int,
        memory_size: int,
        num_layers: int,
        dropouts: Dropouts,
    ) -> None:
        width = embedding_size + hidden_size
        super().__init__(
            recurrent=rnn(width, hidden_size=hidden_size, num_layers=num_layers, dropouts=dropouts),
            attention=_none(attention, hidden_size, memory_size, "cho"),
            feed_size=hidden_size,
            output_size=hidden_size + width,
        )
        self.summary = Linear(memory_size, hidden_size)

    def first_feed(self, encoded: Encoded) -> Tensor:
        """The summary c, (B, H); it goes from position to position unchanged."""
        return torch.tanh(self.summary(encoded.final[0][:, -1]))

    def step(self, embedded: Tensor, state: DecoderState, memory: Memory) -> DecoderStep:
        """Write one position, given the embedding of the token before it, (N, E)."""
        inputs = torch.cat([embedded, state.feed], dim=-1)
        hidden, rnn = self.recurrent.step(inputs, state.rnn, state.draws.layers[0])
        _, weights, attended = self.attention(hidden, memory, state.attended)
        return DecoderStep(torch.cat([hidden, inputs], dim=-1), weights, replace(state, rnn=rnn, attended=attended))

    def forward(self, embedded: Tensor, state: DecoderState, memory: Memory) -> tuple[Tensor, Tensor]:
        """Write whole targets in one scan."""
        inputs = torch.cat([embedded, state.feed[:, None].expand(-1, embedded.shape[1], -1)], dim=-1)
        hidden, _ = self.recurrent.scan(inputs, state=state.rnn, draws=state.draws.layers[0])
        return torch.cat([hidden, inputs], dim=-1), _no_weights(embedded)
