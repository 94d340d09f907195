"""Recurrent layers: the equations, one way of reading and the other, and padding that is never read."""

import numpy as np
import pytest
import torch
from tiny_models import CELLS, assert_same

from s2s.errors import InputError
from s2s.model.recurrent import GRU, LSTM, RNN

every_cell = pytest.mark.parametrize("cell", CELLS)


def stack(cell, **options):
    torch.manual_seed(5)
    return cell(3, hidden_size=4, **options).double()


def inputs(*shape):
    return torch.randn(*shape, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(7))


def first_state(recurrent, rows):
    random = torch.Generator().manual_seed(9)
    shape = (rows, recurrent.num_layers, recurrent.hidden_size)
    return tuple(torch.randn(shape, dtype=torch.float64, generator=random) for _ in range(recurrent.state_parts))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def lstm_equations(x, w, u, b, d, h, c):
    i, f, g, o = np.split(w @ x + b + u @ h + d, 4)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def gru_equations(x, w, u, b, d, h):
    (xr, xz, xn), (hr, hz, hn) = np.split(w @ x + b, 3), np.split(u @ h + d, 3)
    z = sigmoid(xz + hz)
    return ((1 - z) * np.tanh(xn + sigmoid(xr + hr) * hn) + z * h,)


def rnn_equations(x, w, u, b, d, h):
    return (np.tanh(w @ x + b + u @ h + d),)


@pytest.mark.parametrize(("cell", "equations"), [(LSTM, lstm_equations), (GRU, gru_equations), (RNN, rnn_equations)])
def test_a_step_is_the_equations_written_out(cell, equations):
    recurrent = stack(cell)
    state, x = first_state(recurrent, 2), inputs(2)
    output, after = recurrent.step(x, state)
    weights = [weight.detach().numpy() for weight in recurrent.kernel.all_weights[0]]
    for row in range(2):
        expected = equations(x[row].numpy(), *weights, *(part[row, 0].numpy() for part in state))
        np.testing.assert_allclose(output[row].detach(), expected[0], rtol=1e-12)
        for part, value in zip(after, expected, strict=True):
            np.testing.assert_allclose(part[row, 0].detach(), value, rtol=1e-12)


@every_cell
@pytest.mark.parametrize("layers", [1, 2])
def test_steps_are_the_scan(cell, layers):
    recurrent = stack(cell, num_layers=layers)
    x, state = inputs(3, 5), first_state(recurrent, 3)
    outputs, final = recurrent.scan(x, state=state)
    for position in range(5):
        output, state = recurrent.step(x[:, position], state)
        assert_same(output, outputs[:, position])
    assert_same(state, final)


@every_cell
def test_a_scan_starts_from_zeros_where_no_state_is_given(cell):
    recurrent = stack(cell)
    zeros = tuple(torch.zeros_like(part) for part in first_state(recurrent, 2))
    assert_same(recurrent.scan(inputs(2, 3)), recurrent.scan(inputs(2, 3), state=zeros))


@every_cell
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("layers", [1, 2])
def test_padding_is_never_read(cell, bidirectional, layers):
    recurrent = stack(cell, num_layers=layers, bidirectional=bidirectional)
    x, lengths = inputs(3, 6), [2, 5, 1]
    for row, length in enumerate(lengths):
        x[row, length:] = torch.nan
    outputs, final = recurrent.scan(x, lengths=torch.tensor(lengths))
    for row, length in enumerate(lengths):
        alone, alone_final = recurrent.scan(x[row : row + 1, :length])
        assert_same(outputs[row : row + 1, :length], alone)
        assert_same(tuple(part[row : row + 1] for part in final), alone_final)
        assert (outputs[row, length:] == 0).all()


@every_cell
def test_the_second_direction_reads_from_the_end(cell):
    recurrent = stack(cell, bidirectional=True)
    backward = stack(cell)
    backward.kernel.load_state_dict(
        {name: getattr(recurrent.kernel, f"{name}_reverse") for name in backward.kernel.state_dict()}
    )
    x = inputs(2, 4)
    outputs, final = recurrent.scan(x)
    expected, expected_final = backward.scan(x.flip(1))
    assert_same(outputs[..., 4:], expected.flip(1))
    assert_same(tuple(part[..., 4:] for part in final), expected_final)


@every_cell
def test_dropout_falls_between_layers_and_in_training_alone(cell):
    whole, dropped = stack(cell, num_layers=2), stack(cell, num_layers=2, dropout=1.0)
    x, state = inputs(2), first_state(whole, 2)
    assert_same(dropped.eval().step(x, state), whole.step(x, state))
    assert_same(dropped.scan(x[:, None], state=state), whole.scan(x[:, None], state=state))
    dropped.train()
    output, after = dropped.step(x, state)
    upper = whole.cell(torch.zeros_like(output), tuple(p[:, 1] for p in state), whole.kernel.all_weights[1])
    assert_same(output, upper[0])
    assert_same(after[0][:, 0], whole.step(x, state)[1][0][:, 0])
    assert_same(dropped.scan(x[:, None], state=state), (output[:, None], after))


@every_cell
def test_one_layer_has_nothing_between_layers_to_drop(cell):
    recurrent = stack(cell, dropout=0.9).train()
    x, state = inputs(2, 3), first_state(recurrent, 2)
    assert_same(recurrent.scan(x, state=state), recurrent.eval().scan(x, state=state))


@every_cell
def test_no_layer_is_refused(cell):
    with pytest.raises(InputError, match="of 0 layers cannot be built; set num_layers to 1 or more"):
        stack(cell, num_layers=0)
