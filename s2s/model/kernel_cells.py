"""The three cells that torch has fused kernels for; ``cells.py`` has them from their equations."""

from collections.abc import Sequence

import torch
from torch import Tensor

from s2s.errors import InputError
from s2s.model.cells import GRUReference, LSTMReference, RNNReference
from s2s.model.dropout import NO_DROPOUT, Dropouts
from s2s.model.gates import GRU_GATES, LSTM_GATES, RELU_GATE, TANH_GATE, Gates, gates_serve, update
from s2s.model.layer_scan import Kernel
from s2s.model.product import linear
from s2s.model.recurrent import Recurrent, RecurrentState

__all__ = ["GRU", "LSTM", "RNN"]

RNN_KERNELS = {"tanh": (torch.rnn_tanh, torch.rnn_tanh_cell), "relu": (torch.rnn_relu, torch.rnn_relu_cell)}


class LSTM(Recurrent):
    """Long short-term memory (Hochreiter & Schmidhuber 1997; forget gate: Gers et al. 2000), on torch's kernels.

    The cell c is the long-term memory: the forget gate f keeps or drops it, the input gate i lets new content g in,
    the output gate o shows it as h; ``LSTMReference`` computes by these equations, gate by gate::

        i, f, o = sigmoid(W x + b + U h + b');  g = tanh(W x + b + U h + b')
        c' = f * c + i * g;  h' = o * tanh(c')
    """

    state_parts = 2
    gates = 4
    forget_gate = 1
    activations = LSTMReference.activations

    def kernel(self) -> Kernel:
        """``torch.lstm``."""
        return torch.lstm

    def fused(self) -> Gates:
        """The gates above."""
        return LSTM_GATES

    def cell(self, inputs: Tensor, hidden: Tensor, state: RecurrentState, weights: Sequence[Tensor]) -> RecurrentState:
        """Update one layer by one position."""
        if not gates_serve(inputs):
            hidden, memory = torch.lstm_cell(inputs, (hidden, state[1]), *weights)
            return hidden, memory
        return _updated(LSTM_GATES, inputs, hidden, state, weights)


class GRU(Recurrent):
    """Gated recurrent unit (Cho et al. 2014), on torch's kernels.

    The update gate z keeps the old state, the reset gate r decides how much of it the new content n sees;
    ``GRUReference`` computes by these equations, gate by gate::

        r, z = sigmoid(W x + b + U h + b');  n = tanh(W x + b + r * (U h + b'))
        h' = (1 - z) * n + z * h

    In the paper the reset gate falls on the state before the matrix product, ``U (r * h)``, as in ``GRUCho``; torch
    and cuDNN let it fall on the product, so that all three products of h can be taken at once.
    """

    state_parts = 1
    gates = 3
    activations = GRUReference.activations

    def kernel(self) -> Kernel:
        """``torch.gru``."""
        return torch.gru

    def fused(self) -> Gates:
        """The gates above."""
        return GRU_GATES

    def cell(self, inputs: Tensor, hidden: Tensor, state: RecurrentState, weights: Sequence[Tensor]) -> RecurrentState:
        """Update one layer by one position."""
        if not gates_serve(inputs) and hidden is state[0]:
            return (torch.gru_cell(inputs, hidden, *weights),)
        return _updated(GRU_GATES, inputs, hidden, state, weights)


class RNN(Recurrent):
    """Plain recurrent network (Elman 1990), on torch's kernels: ``h' = tanh(W x + b + U h + b')``.

    Args:
        nonlinearity: ``tanh`` or ``relu`` (Le, Jaitly & Hinton 2015).
        input_size, hidden_size, num_layers, bidirectional, dropouts, variational_dropout, weight_dropout, residual: as
            in ``Recurrent``.
    """

    state_parts = 1
    gates = 1
    activations = RNNReference.activations

    def __init__(
        self,
        input_size: int,
        *,
        hidden_size: int,
        num_layers: int = 1,
        bidirectional: bool = False,
        dropouts: Dropouts = NO_DROPOUT,
        variational_dropout: float = 0.0,
        weight_dropout: float = 0.0,
        residual: bool = False,
        nonlinearity: str = "tanh",
    ) -> None:
        super().__init__(
            input_size,
            hidden_size=hidden_size,
            num_layers=num_layers,
            bidirectional=bidirectional,
            dropouts=dropouts,
            variational_dropout=variational_dropout,
            weight_dropout=weight_dropout,
            residual=residual,
        )
        if nonlinearity not in RNN_KERNELS:
            raise InputError(f"nonlinearity={nonlinearity} is unknown; give tanh or relu")
        self.nonlinearity = nonlinearity

    def kernel(self) -> Kernel:
        """``torch.rnn_tanh`` or ``torch.rnn_relu``."""
        return RNN_KERNELS[self.nonlinearity][0]

    def fused(self) -> Gates:
        """Its only one."""
        return RELU_GATE if self.nonlinearity == "relu" else TANH_GATE

    def cell(self, inputs: Tensor, hidden: Tensor, state: RecurrentState, weights: Sequence[Tensor]) -> RecurrentState:
        """Update one layer by one position."""
        if not gates_serve(inputs):
            return (RNN_KERNELS[self.nonlinearity][1](inputs, hidden, *weights),)
        return _updated(self.fused(), inputs, hidden, state, weights)


def _updated(
    gates: Gates, inputs: Tensor, hidden: Tensor, state: RecurrentState, weights: Sequence[Tensor]
) -> RecurrentState:
    """Update by the sums of all gates, ``W x + b`` and ``U h + b'``."""
    weight_ih, weight_hh, bias_ih, bias_hh = weights
    return update(gates, linear(inputs, weight_ih, bias_ih), linear(hidden, weight_hh, bias_hh), state)
