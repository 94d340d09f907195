"""The conditional decoder of Nematus: two transitions with a look between them."""

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from s2s.errors import InputError
from s2s.model.attention import Attention, Memory
from s2s.model.decoder import Decoder, DecoderState, DecoderStep
from s2s.model.dropout import Dropouts
from s2s.model.recurrent import Recurrent

__all__ = ["ConditionalDecoder"]


class ConditionalDecoder(Decoder):
    """Update with the token, look, update with what was seen (Sennrich et al. 2017, Nematus, section 3; cGRU).

    ``s' = rnn_1(y_{i-1}, s_{i-1})``, ``c_i = attend(s')``, ``s_i = rnn_2(c_i, s')``; the output ``[s_i; y_{i-1}; c_i]``
    is what the deep output layer reads. So the look knows the last token, and the state knows what was seen.

    Args:
        rnn, attention, embedding_size, hidden_size, memory_size, dropouts: as in ``BahdanauDecoder``.
        num_layers: number of layers, L, of the second transition; the first has one and shares its state with the
            bottom one.
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
        built = attention(hidden_size, memory_size=memory_size)
        if not built.context_size:
            raise InputError(
                "the conditional decoder's second transition reads nothing but the context, and this attention gives "
                "none; choose another model/attention, or model/decoder=sutskever"
            )
        super().__init__(
            recurrent=rnn(built.context_size, hidden_size=hidden_size, num_layers=num_layers, dropouts=dropouts),
            attention=built,
            feed_size=0,
            output_size=hidden_size + embedding_size + built.context_size,
        )
        self.first = rnn(embedding_size, hidden_size=hidden_size, dropouts=dropouts)

    def stacks(self) -> tuple[Recurrent, ...]:
        """Both transitions."""
        return self.first, self.recurrent

    def step(self, embedded: Tensor, state: DecoderState, memory: Memory) -> DecoderStep:
        """Write one position, given the embedding of the token before it, (N, E)."""
        of_first, of_second = state.draws.layers
        query, bottom = self.first.step(embedded, tuple(part[:, :1] for part in state.rnn), of_first)
        context, weights, attended = self.attention(query, memory, state.attended)
        between = tuple(torch.cat([low, part[:, 1:]], dim=1) for low, part in zip(bottom, state.rnn, strict=True))
        hidden, rnn = self.recurrent.step(context, between, of_second)
        output = torch.cat([hidden, embedded, context], dim=-1)
        return DecoderStep(output, weights, replace(state, rnn=rnn, attended=attended))
