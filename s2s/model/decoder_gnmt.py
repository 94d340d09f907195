"""The decoder of GNMT: the bottom layer attends, and every layer reads what it saw."""

from collections.abc import Callable
from dataclasses import replace
from typing import cast

import torch
from torch import Tensor, nn

from s2s.errors import InputError
from s2s.model.attention import Attention, Memory
from s2s.model.decoder import Decoder, DecoderState, DecoderStep
from s2s.model.draws import LayerDraws
from s2s.model.dropout import Dropouts, dropout
from s2s.model.recurrent import Recurrent, RecurrentState, check_depth

__all__ = ["GNMTDecoder"]

RESIDUAL_FROM = 2  # the third layer, counted from 0


class GNMTDecoder(Decoder):
    """A deep stack that looks with its bottom layer (Wu et al. 2016, sections 3 to 3.2).

    ``c_i = attend(h^1_{i-1})``, ``h^1_i = rnn_1([y_{i-1}; c_i], h^1_{i-1})``, and for the layers l above it
    ``h^l_i = rnn_l([x^{l-1}_i; c_i], h^l_{i-1})``, where ``x^l_i = h^l_i``, from the third layer on
    ``x^l_i = h^l_i + x^{l-1}_i``. The output is x of the top layer.

    Args:
        rnn, attention, embedding_size, hidden_size, memory_size: as in ``BahdanauDecoder``.
        num_layers: number of layers, L.
        dropouts: how much drops out of the layers.
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
        if num_layers < 1:
            raise InputError(f"a decoder of {num_layers} layers cannot be built; set num_layers to 1 or more")
        check_depth(num_layers)
        built = attention(hidden_size, memory_size=memory_size)
        super().__init__(
            recurrent=rnn(embedding_size + built.context_size, hidden_size=hidden_size, dropouts=dropouts),
            attention=built,
            feed_size=0,
            output_size=hidden_size,
        )
        self.num_layers = num_layers
        self.above = nn.ModuleList(
            rnn(hidden_size + built.context_size, hidden_size=hidden_size, dropouts=dropouts)
            for _ in range(num_layers - 1)
        )

    def stacks(self) -> tuple[Recurrent, ...]:
        """The layers from the bottom up, each a stack of one."""
        return self.recurrent, *(cast("Recurrent", layer) for layer in self.above)

    def step(self, embedded: Tensor, state: DecoderState, memory: Memory) -> DecoderStep:
        """Write one position, given the embedding of the token before it, (N, E)."""
        context, weights, attended = self.attention(state.rnn[0][:, 0], memory, state.attended)
        passed = embedded
        layers: list[RecurrentState] = []
        for number, recurrent in enumerate(self.stacks()):
            below = self._passed_up(passed, state.draws.layers[number - 1]) if number else passed
            own = tuple(part[:, number : number + 1] for part in state.rnn)
            hidden, layer = recurrent.step(torch.cat([below, context], dim=-1), own, state.draws.layers[number])
            passed = hidden + passed if number >= RESIDUAL_FROM else hidden
            layers.append(layer)
        rnn = tuple(torch.cat(parts, dim=1) for parts in zip(*layers, strict=True))
        return DecoderStep(passed, weights, replace(state, rnn=rnn, attended=attended))

    def _passed_up(self, passed: Tensor, draws: LayerDraws) -> Tensor:
        """What a layer passes to the one above it, (N, H), thinned by dropout."""
        mask = None if draws.upward is None else draws.upward[:, 0]
        return dropout(passed, self.recurrent.dropouts.layer, self.training, mask)
