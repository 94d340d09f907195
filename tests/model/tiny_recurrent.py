"""Every recurrent cell in a size for tests, in float64, with weights and inputs that are the same each time."""

from functools import partial

import torch

from s2s.model.cells import GRUCho, GRUDeepTransition, GRUReference, LSTMReference, RNNReference
from s2s.model.draws import LayerDraws
from s2s.model.kernel_cells import GRU, LSTM, RNN
from s2s.model.layer_norm_cells import GRULayerNorm, LSTMLayerNorm

CELLS = {
    "rnn": RNN,
    "rnn relu": partial(RNN, nonlinearity="relu"),
    "gru": GRU,
    "lstm": LSTM,
    "rnn_reference": RNNReference,
    "rnn_reference relu": partial(RNNReference, nonlinearity="relu"),
    "gru_reference": GRUReference,
    "lstm_reference": LSTMReference,
    "gru_cho": GRUCho,
    "lstm_layernorm": LSTMLayerNorm,
    "gru_layernorm": GRULayerNorm,
    "gru_deep": GRUDeepTransition,
    "gru_deep 3": partial(GRUDeepTransition, transitions=3),
}


def stack(cell, **options):
    """Build layers that read 3 and write 4 units, every weight away from where it began, gains and shifts too."""
    random = torch.Generator().manual_seed(5)
    recurrent = CELLS[cell](3, hidden_size=4, **options).double()
    with torch.no_grad():
        for parameter in recurrent.parameters():
            parameter.uniform_(-0.8, 0.8, generator=random)
    return recurrent.eval()


def inputs(*shape):
    """Draw what is read, (…, 3)."""
    return torch.randn(*shape, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(7))


def first_state(recurrent, rows):
    """Draw a state, parts of (N, L, D)."""
    random = torch.Generator().manual_seed(9)
    shape = (rows, recurrent.num_layers, recurrent.output_size)
    return tuple(torch.randn(shape, dtype=torch.float64, generator=random) for _ in range(recurrent.state_parts))


def some_draws(recurrent, rows):
    """Draw masks of h and of what passes up that drop half the units, (N, L, D) each."""
    random = torch.Generator().manual_seed(11)
    shape = (2, rows, recurrent.num_layers, recurrent.output_size)
    return LayerDraws(*(2.0 * torch.randint(2, shape, generator=random).double()))
