"""Decoders: the order of events in one target position.

Bahdanau's decoder looks first, with the previous state, and then updates the state; Luong's updates first and looks
with the new state. Any decoder takes any attention.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from s2s.model.attention import Attention, Memory
from s2s.model.draws import Draws
from s2s.model.dropout import Dropout, Dropouts, check_probabilities
from s2s.model.encoder import Encoded
from s2s.model.product import Linear
from s2s.model.recurrent import Recurrent, RecurrentState

__all__ = ["BahdanauDecoder", "Decoder", "DecoderState", "DecoderStep", "LuongDecoder"]

POSITIONS_AT_ONCE = 128  # of a target that look at the same time: some scores take room for each with each source word


@dataclass(frozen=True)
class DecoderState:
    """What a row remembers.

    ``rnn`` parts of (N, L, H); ``feed`` (N, F), what the next position reads beside its token; ``attended`` (N, P, S),
    where it has looked. F and P are 0 where nothing needs them. ``draws`` is what dropout drew for the whole target.
    """

    rnn: RecurrentState
    feed: Tensor
    attended: Tensor
    draws: Draws

    def select(self, rows: Tensor) -> "DecoderState":
        """The state whose row n is row ``rows[n]`` of this one."""
        # On a CPU `part[rows]` takes five times as long.
        *rnn, feed, attended = (part.index_select(0, rows) for part in (*self.rnn, self.feed, self.attended))
        return DecoderState(tuple(rnn), feed, attended, self.draws.select(rows))


@dataclass(frozen=True)
class DecoderStep:
    """One target position: ``output`` (N, O), before the vocabulary; ``attention`` (N, S); the new ``state``."""

    output: Tensor
    attention: Tensor
    state: DecoderState


class Decoder(nn.Module, ABC):
    """Write a target, position by position.

    Args:
        recurrent: the layers, one direction.
        attention: any score function.
        feed_size: width of what is fed into the next position, F, 0 for nothing.
        output_size: width of a step's output, O.
    """

    reads_summary: ClassVar[bool] = False
    """Whether every position reads the encoder's final state, so that attention may be none."""
    compiled: "Callable[..., DecoderStep] | None" = None
    """What ``compile_step`` made: ``step`` with the decoder for its first argument."""

    def __init__(self, *, recurrent: Recurrent, attention: Attention, feed_size: int, output_size: int) -> None:
        super().__init__()
        self.recurrent = recurrent
        self.attention = attention
        self.feed_size = feed_size
        self.output_size = output_size
        self.num_layers = recurrent.num_layers
        self.hidden_size = recurrent.hidden_size
        self.state_parts = recurrent.state_parts

    def start(self, encoded: Encoded, rnn: RecurrentState) -> tuple[DecoderState, Memory]:
        """Make the first state, one row per sentence, and the memory that all positions look at."""
        memory = self.attention.remember(encoded.values, encoded.mask)
        draws = Draws(tuple(stack.draw(encoded.values) for stack in self.stacks()))
        return DecoderState(rnn, self.first_feed(encoded), self.attention.start(memory), draws), memory

    def stacks(self) -> tuple[Recurrent, ...]:
        """The recurrent stacks, in the order in which ``Draws.layers`` has what was drawn for them."""
        return (self.recurrent,)

    def first_feed(self, encoded: Encoded) -> Tensor:
        """What the first position reads beside its token, (B, F)."""
        return encoded.values.new_zeros(encoded.values.shape[0], self.feed_size)

    @abstractmethod
    def step(self, embedded: Tensor, state: DecoderState, memory: Memory) -> DecoderStep:
        """Write one position, given the embedding of the token before it, (N, E)."""

    def forward(self, embedded: Tensor, state: DecoderState, memory: Memory) -> tuple[Tensor, Tensor]:
        """Write whole targets by teacher forcing: (B, T, E) -> outputs (B, T, O), attention (B, T, S)."""
        outputs, attention = [], []
        written_by = partial(self.compiled, self) if self.compiled and self.training else self.step
        for position in embedded.unbind(dim=1):
            step = written_by(position, state, memory)
            state = step.state
            outputs.append(step.output)
            attention.append(step.attention)
        return torch.stack(outputs, dim=1), torch.stack(attention, dim=1)

    def compile_step(self, **options: Any) -> None:
        """Take the steps of training by ``torch.compile``, for sentences and sources of any number and length.

        It makes a few kernels of the many small ones between a step's products, which pays where starting a kernel
        takes longer than its work: on a GPU. Graphs of CUDA are of one shape each, and batches have hundreds, so there
        are none. No gradient worked out by hand goes through it, so it is not for a CPU.

        Args:
            options: of ``torch.compile``, beside the step and ``dynamic``.
        """
        self.compiled = torch.compile(type(self).step, dynamic=True, **options)


class BahdanauDecoder(Decoder):
    """Look, then update (Bahdanau, Cho & Bengio 2015, section 3.1 and appendix A.2.2).

    ``c_i = attend(s_{i-1})``, ``s_i = rnn([y_{i-1}; c_i], s_{i-1})``; the output ``[s_i; y_{i-1}; c_i]`` is what the
    deep output layer reads.

    Args:
        rnn, attention: how to make the layers and the score function, given their sizes.
        embedding_size: width of the embeddings, E.
        hidden_size: width of the state, H.
        memory_size: width of the encoder states, D.
        num_layers: number of layers, L; the top one attends.
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
        built = attention(hidden_size, memory_size=memory_size)
        width = embedding_size + built.context_size
        super().__init__(
            recurrent=rnn(width, hidden_size=hidden_size, num_layers=num_layers, dropouts=dropouts),
            attention=built,
            feed_size=0,
            output_size=hidden_size + width,
        )

    def step(self, embedded: Tensor, state: DecoderState, memory: Memory) -> DecoderStep:
        """Write one position, given the embedding of the token before it, (N, E)."""
        context, weights, attended = self.attention(state.rnn[0][:, -1], memory, state.attended)
        inputs = torch.cat([embedded, context], dim=-1)
        hidden, rnn = self.recurrent.step(inputs, state.rnn, state.draws.layers[0])
        output = torch.cat([hidden, embedded, context], dim=-1)
        return DecoderStep(output, weights, replace(state, rnn=rnn, attended=attended))


class LuongDecoder(Decoder):
    """Update, then look (Luong, Pham & Manning 2015, section 3).

    ``h_t = rnn([y_{t-1}; h~_{t-1}], h_{t-1})``, ``c_t = attend(h_t)``, ``h~_t = tanh(W_c [c_t; h_t])`` (eq. 5).

    Args:
        input_feeding: give the last attentional state ``h~`` to the recurrence (section 3.3); without it all positions
            are one scan and, unless attention needs its past, one look.
        feed_dropout: probability to drop a unit of what is fed to the recurrence; the readout has all of it.
        rnn, attention, embedding_size, hidden_size, memory_size, num_layers, dropouts: as in ``BahdanauDecoder``.
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
        input_feeding: bool = True,
        feed_dropout: float = 0.0,
    ) -> None:
        check_probabilities("model.decoder", feed_dropout=feed_dropout)
        feed_size = hidden_size if input_feeding else 0
        built = attention(hidden_size, memory_size=memory_size)
        super().__init__(
            recurrent=rnn(
                embedding_size + feed_size, hidden_size=hidden_size, num_layers=num_layers, dropouts=dropouts
            ),
            attention=built,
            feed_size=feed_size,
            output_size=hidden_size,
        )
        self.combine = Linear(built.context_size + hidden_size, hidden_size, bias=False)
        nn.init.xavier_uniform_(self.combine.weight, gain=nn.init.calculate_gain("tanh"))
        self.feed_dropout = Dropout(feed_dropout, variational=dropouts.variational)

    def start(self, encoded: Encoded, rnn: RecurrentState) -> tuple[DecoderState, Memory]:
        """Make the first state, one row per sentence, and the memory that all positions look at."""
        state, memory = super().start(encoded, rnn)
        feed = self.feed_dropout.draw(state.feed, self.feed_size)
        return replace(state, draws=replace(state.draws, feed=feed)), memory

    def step(self, embedded: Tensor, state: DecoderState, memory: Memory) -> DecoderStep:
        """Write one position, given the embedding of the token before it, (N, E)."""
        inputs = torch.cat([embedded, self.feed_dropout(state.feed, state.draws.feed)], dim=-1)
        return self.look(*self.recurrent.step(inputs, state.rnn, state.draws.layers[0]), state, memory)

    def look(self, hidden: Tensor, rnn: RecurrentState, state: DecoderState, memory: Memory) -> DecoderStep:
        """Write one position, given the top layer's output (N, H) and the new state of the layers."""
        output, weights, attended = self._look(hidden, memory, state.attended)
        feed = output if self.feed_size else state.feed
        return DecoderStep(output, weights, replace(state, rnn=rnn, feed=feed, attended=attended))

    def forward(self, embedded: Tensor, state: DecoderState, memory: Memory) -> tuple[Tensor, Tensor]:
        """Write whole targets; where nothing of one position goes into the next but the layers' state, all at once."""
        if self.feed_size or self.attention.needs_past:
            return super().forward(embedded, state, memory)
        hidden, _ = self.recurrent.scan(embedded, state=state.rnn, draws=state.draws.layers[0])
        outputs, attention = [], []
        for some in torch.split(hidden, POSITIONS_AT_ONCE, dim=1):
            nothing = state.attended.repeat_interleave(some.shape[1], dim=0)
            output, weights, _ = self._look(some.flatten(0, 1), memory, nothing)
            outputs.append(output.view(*some.shape[:2], output.shape[1]))
            attention.append(weights.view(*some.shape[:2], weights.shape[1]))
        if len(outputs) == 1:
            return outputs[0], attention[0]
        return torch.cat(outputs, dim=1), torch.cat(attention, dim=1)

    def _look(self, hidden: Tensor, memory: Memory, attended: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(N, H) -> attentional states ``h~`` (N, H), weights (N, S), attended (N, P, S)."""
        context, weights, attended = self.attention(hidden, memory, attended)
        return torch.tanh(self.combine(torch.cat([context, hidden], dim=-1))), weights, attended
