"""Stacks of recurrent layers on torch's fused kernels: a whole sequence by ``scan``, one position by ``step``.

State is a tuple of tensors (N, L, H), one per part: ``(h,)`` for GRU and plain RNN, ``(h, c)`` for LSTM.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from s2s.errors import InputError

__all__ = ["GRU", "LSTM", "RNN", "Recurrent", "RecurrentState"]

RecurrentState = tuple[Tensor, ...]


class Recurrent(nn.Module, ABC):
    """Layers of one recurrent cell, in one direction or both.

    Args:
        input_size: width of the input, I.
        hidden_size: width of the state of one direction, H.
        num_layers: number of layers, L.
        bidirectional: read the sequence in both directions; such a stack has no ``step``.
        dropout: probability to drop a unit between layers.
    """

    kernel_class: ClassVar[type[nn.LSTM] | type[nn.GRU] | type[nn.RNN]]
    state_parts: ClassVar[int]

    def __init__(
        self,
        input_size: int,
        *,
        hidden_size: int,
        num_layers: int = 1,
        bidirectional: bool = False,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if num_layers < 1:
            raise InputError(f"a recurrent network of {num_layers} layers cannot be built; set num_layers to 1 or more")
        self.kernel = self.kernel_class(
            input_size,
            hidden_size,
            num_layers=num_layers,
            bidirectional=bidirectional,
            batch_first=True,
            dropout=dropout if num_layers > 1 else 0.0,
        )
        self.num_layers = num_layers
        self.hidden_size = hidden_size
        self.output_size = hidden_size * (2 if bidirectional else 1)

    @abstractmethod
    def cell(self, inputs: Tensor, state: RecurrentState, weights: Sequence[Tensor]) -> RecurrentState:
        """Update one layer by one position: (N, I), parts of (N, H) -> parts of (N, H), the output first."""

    def scan(
        self, inputs: Tensor, *, lengths: Tensor | None = None, state: RecurrentState | None = None
    ) -> tuple[Tensor, RecurrentState]:
        """Read whole sequences.

        Args:
            inputs: (B, T, I).
            lengths: real positions of each sequence, (B,), so that padding is never read, in either direction;
                None to read all T positions.
            state: the state before the first position, parts of (B, L, H); None for zeros. One direction only.

        Returns:
            outputs (B, T, D), zero on padding, and the state after the last position, parts of (B, L, D);
            D is H, or 2H with both directions side by side.
        """
        first = None if state is None else tuple(part.transpose(0, 1).contiguous() for part in state)
        kernel_state = first[0] if first is not None and self.state_parts == 1 else first
        if lengths is None:
            outputs, final = self.kernel(inputs, kernel_state)
        else:
            packed = pack_padded_sequence(inputs, lengths.cpu(), batch_first=True, enforce_sorted=False)
            outputs, final = self.kernel(packed, kernel_state)
            outputs, _ = pad_packed_sequence(outputs, batch_first=True, total_length=inputs.shape[1])
        batch = inputs.shape[0]
        return outputs, tuple(
            part.view(self.num_layers, -1, batch, self.hidden_size).permute(2, 0, 1, 3).flatten(2)
            for part in ((final,) if isinstance(final, Tensor) else final)
        )

    def step(self, inputs: Tensor, state: RecurrentState) -> tuple[Tensor, RecurrentState]:
        """Read one position: (N, I), parts of (N, L, H) -> output of the top layer (N, H), new state."""
        dropout, layers = self.kernel.dropout, []
        for layer, weights in enumerate(self.kernel.all_weights):
            if layer and dropout:
                inputs = nn.functional.dropout(inputs, dropout, self.training)
            layers.append(self.cell(inputs, tuple(part[:, layer] for part in state), weights))
            inputs = layers[-1][0]
        return inputs, tuple(torch.stack(part, dim=1) for part in zip(*layers, strict=True))


class LSTM(Recurrent):
    """Long short-term memory (Hochreiter & Schmidhuber 1997, with the forget gate of Gers et al. 2000).

    The cell c is the long-term memory: the forget gate f keeps or drops it, the input gate i lets new content in,
    the output gate o shows it as h::

        i, f, o = sigmoid(W x + U h + b);  g = tanh(W x + U h + b)
        c = f * c + i * g;  h = o * tanh(c)
    """

    kernel_class = nn.LSTM
    state_parts = 2

    def cell(self, inputs: Tensor, state: RecurrentState, weights: Sequence[Tensor]) -> RecurrentState:
        """Update one layer by one position."""
        hidden, memory = torch.lstm_cell(inputs, state, *weights)
        return hidden, memory


class GRU(Recurrent):
    """Gated recurrent unit (Cho et al. 2014), with the reset gate after the matrix product as torch has it.

    The update gate z keeps the old state, the reset gate r decides how much of it the new content sees::

        r, z = sigmoid(W x + U h + b);  n = tanh(W x + b + r * (U h + b'))
        h = (1 - z) * n + z * h
    """

    kernel_class = nn.GRU
    state_parts = 1

    def cell(self, inputs: Tensor, state: RecurrentState, weights: Sequence[Tensor]) -> RecurrentState:
        """Update one layer by one position."""
        return (torch.gru_cell(inputs, state[0], *weights),)


class RNN(Recurrent):
    """Plain recurrent network (Elman 1990): ``h = tanh(W x + U h + b)``."""

    kernel_class = nn.RNN
    state_parts = 1

    def cell(self, inputs: Tensor, state: RecurrentState, weights: Sequence[Tensor]) -> RecurrentState:
        """Update one layer by one position."""
        return (torch.rnn_tanh_cell(inputs, state[0], *weights),)
