"""Recurrent cells: each is its paper's equations, in NumPy and by hand, and torch's own where torch has it."""

from functools import partial

import numpy as np
import pytest
import torch
from tiny_models import assert_same
from tiny_recurrent import CELLS, first_state, inputs, some_draws, stack
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from s2s.errors import InputError
from s2s.model.cells import GRUCho, GRUDeepTransition, GRUReference, LSTMReference, RNNReference
from s2s.model.draws import LayerDraws
from s2s.model.kernel_cells import GRU, LSTM, RNN
from s2s.model.layer_norm_cells import GRULayerNorm, LSTMLayerNorm

LENGTHS = [4, 1, 3]
OPEN, CLOSED = 40.0, -40.0  # before the sigmoid
FUSED = {"rnn": nn.RNN, "rnn relu": partial(nn.RNN, nonlinearity="relu"), "gru": nn.GRU, "lstm": nn.LSTM}

every_cell = pytest.mark.parametrize("cell", CELLS)
layers_and_directions = pytest.mark.parametrize(
    ("layers", "bidirectional"), [(1, False), (1, True), (2, False), (2, True)]
)


# Of each cell: what it reads is x, of the state before it the matrix products see s, which is h where nothing is
# dropped. The gates are in torch's order.


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def normal(x, gain, shift):
    """Ba et al. (2016), eq. 15 and 16, with torch's guard against rows of one value."""
    return gain * (x - x.mean()) / np.sqrt(((x - x.mean()) ** 2).mean() + 1e-5) + shift


def rnn(x, s, h, *, weight_ih, weight_hh, bias_ih, bias_hh):
    """Elman (1990)."""
    return (np.tanh(weight_ih @ x + bias_ih + weight_hh @ s + bias_hh),)


def rnn_relu(x, s, h, *, weight_ih, weight_hh, bias_ih, bias_hh):
    """Le, Jaitly & Hinton (2015)."""
    return (np.maximum(0, weight_ih @ x + bias_ih + weight_hh @ s + bias_hh),)


def lstm(x, s, h, c, *, weight_ih, weight_hh, bias_ih, bias_hh):
    """Hochreiter & Schmidhuber (1997), Gers et al. (2000)."""
    i, f, g, o = np.split(weight_ih @ x + bias_ih + weight_hh @ s + bias_hh, 4)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def gru(x, s, h, *, weight_ih, weight_hh, bias_ih, bias_hh):
    """As torch has it."""
    (xr, xz, xn), (hr, hz, hn) = np.split(weight_ih @ x + bias_ih, 3), np.split(weight_hh @ s + bias_hh, 3)
    z = sigmoid(xz + hz)
    return ((1 - z) * np.tanh(xn + sigmoid(xr + hr) * hn) + z * h,)


def gru_cho(x, s, h, *, weight_ih, weight_hh, bias_ih, bias_hh):
    """Cho et al. (2014), eq. 5 to 8, with biases."""
    (wr, wz, wn), (ur, uz, un) = np.split(weight_ih, 3), np.split(weight_hh, 3)
    br, bz, bn = np.split(bias_ih + bias_hh, 3)
    r, z = sigmoid(wr @ x + ur @ s + br), sigmoid(wz @ x + uz @ s + bz)
    return (z * h + (1 - z) * np.tanh(wn @ x + un @ (r * s) + bn),)


def lstm_layernorm(x, s, h, c, *, weight_ih, weight_hh, gain_ih, shift_ih, gain_hh, shift_hh, gain_c, shift_c):
    """Ba et al. (2016), eq. 20 to 22."""
    i, f, g, o = np.split(normal(weight_hh @ s, gain_hh, shift_hh) + normal(weight_ih @ x, gain_ih, shift_ih), 4)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(normal(c, gain_c, shift_c)), c


def gru_layernorm(x, s, h, *, weight_ih, weight_hh, **norms):
    """Ba et al. (2016), eq. 26 to 28."""
    two = 2 * len(h)
    r, z = np.split(
        normal(weight_hh[:two] @ s, norms["gain_hh"], norms["shift_hh"])
        + normal(weight_ih[:two] @ x, norms["gain_ih"], norms["shift_ih"]),
        2,
    )
    of_input = normal(weight_ih[two:] @ x, norms["gain_n_ih"], norms["shift_n_ih"])
    of_state = normal(weight_hh[two:] @ s, norms["gain_n_hh"], norms["shift_n_hh"])
    return ((1 - sigmoid(z)) * h + sigmoid(z) * np.tanh(of_input + sigmoid(r) * of_state),)


def gru_deep(x, s, h, *, weight_ih, weight_hh, bias_ih, bias_hh, **following):
    """Miceli Barone et al. (2017): GRU_1(x, h), then GRU_k(0, s)."""
    (h,) = gru(x, s, h, weight_ih=weight_ih, weight_hh=weight_hh, bias_ih=bias_ih, bias_hh=bias_hh)
    for k in range(2, 2 + len(following) // 3):
        own = {name: following[f"{name}_t{k}"] for name in ("weight_hh", "bias_ih", "bias_hh")}
        (h,) = gru(np.zeros(1), h, h, weight_ih=np.zeros((3 * len(h), 1)), **own)
    return (h,)


EQUATIONS = {
    "rnn": rnn,
    "rnn relu": rnn_relu,
    "gru": gru,
    "lstm": lstm,
    "rnn_reference": rnn,
    "rnn_reference relu": rnn_relu,
    "gru_reference": gru,
    "lstm_reference": lstm,
    "gru_cho": gru_cho,
    "lstm_layernorm": lstm_layernorm,
    "gru_layernorm": gru_layernorm,
    "gru_deep": gru_deep,
    "gru_deep 3": gru_deep,
}


def weights_of(recurrent, suffix):
    """A layer's weights by name, as arrays."""
    arrays = {name: parameter.detach().numpy() for name, parameter in recurrent.named_parameters()}
    return {name.removesuffix(suffix): array for name, array in arrays.items() if name.endswith(suffix)}


def read_by_hand(cell, recurrent, x, state, masks):
    """Read one sequence: x (T, I), parts and masks (L, D) -> outputs (T, D), the last state, parts of (L, D)."""
    finals = []
    for layer in range(recurrent.num_layers):
        below = x if layer == 0 else x * masks[1][layer - 1]
        outputs, ends = [], []
        for direction in range(recurrent.output_size // 4):
            weights = weights_of(recurrent, f"_l{layer}" + "_reverse" * direction)
            own = slice(4 * direction, 4 * direction + 4)
            parts = tuple(part[layer, own] for part in state)
            written = []
            for position in below[::-1] if direction else below:
                parts = EQUATIONS[cell](position, parts[0] * masks[0][layer, own], *parts, **weights)
                written.append(parts[0])
            outputs.append(np.stack(written[::-1] if direction else written))
            ends.append(parts)
        above = np.concatenate(outputs, axis=1)
        x = above + x if recurrent.residual and layer else above
        finals.append([np.concatenate(part) for part in zip(*ends, strict=True)])
    return x, [np.stack(part) for part in zip(*finals, strict=True)]


def assert_by_hand(cell, recurrent, *, masked):
    """Compare a ragged batch with its sequences read by hand, one by one."""
    x, state = inputs(3, 4), first_state(recurrent, 3)
    draws = some_draws(recurrent, 3) if masked else LayerDraws()
    masks = (draws.hidden, draws.upward) if masked else (torch.ones_like(state[0]),) * 2
    with torch.no_grad():
        outputs, final = recurrent.scan(x, lengths=torch.tensor(LENGTHS), state=state, draws=draws)
    for row, length in enumerate(LENGTHS):
        start = ([part[row].numpy() for part in parts] for parts in (state, masks))
        expected, expected_final = read_by_hand(cell, recurrent, x[row, :length].numpy(), *start)
        np.testing.assert_allclose(outputs[row, :length], expected, rtol=1e-10, atol=1e-10)
        assert (outputs[row, length:] == 0).all()
        for part, value in zip(final, expected_final, strict=True):
            np.testing.assert_allclose(part[row], value, rtol=1e-10, atol=1e-10)


def test_every_cell_has_its_equations_here():
    assert list(EQUATIONS) == list(CELLS)


@every_cell
@pytest.mark.parametrize("residual", [False, True])
@layers_and_directions
def test_a_scan_is_the_equations_written_out(cell, layers, bidirectional, residual):
    recurrent = stack(cell, num_layers=layers, bidirectional=bidirectional, residual=residual)
    assert_by_hand(cell, recurrent, masked=False)


@every_cell
@layers_and_directions
def test_a_scan_under_masks_is_the_equations_with_the_state_thinned_in_the_products_alone(cell, layers, bidirectional):
    recurrent = stack(cell, num_layers=layers, bidirectional=bidirectional, variational_dropout=0.5)
    assert_by_hand(cell, recurrent, masked=True)


@every_cell
@pytest.mark.parametrize("masked", [False, True])
def test_a_step_is_the_equations_written_out(cell, masked):
    recurrent = stack(cell, num_layers=2)
    x, state = inputs(2), first_state(recurrent, 2)
    draws = some_draws(recurrent, 2) if masked else LayerDraws()
    masks = (draws.hidden, draws.upward) if masked else (torch.ones_like(state[0]),) * 2
    with torch.no_grad():
        output, after = recurrent.step(x, state, draws)
    for row in range(2):
        start = ([part[row].numpy() for part in parts] for parts in (state, masks))
        expected, expected_after = read_by_hand(cell, recurrent, x[row, None].numpy(), *start)
        np.testing.assert_allclose(output[row], expected[0], rtol=1e-10, atol=1e-10)
        for part, value in zip(after, expected_after, strict=True):
            np.testing.assert_allclose(part[row], value, rtol=1e-10, atol=1e-10)


def by_hand(cell, *, x, state, tolerance=1e-6, **weights):
    """One layer whose weights are zero but for those given; its state after x, as lists."""
    hidden = len(state[0])
    recurrent = cell(len(x), hidden_size=hidden).double()
    with torch.no_grad():
        for name, parameter in recurrent.named_parameters():
            value = weights.get(name.removesuffix("_l0"), 1.0 if name.startswith("gain") else 0.0)
            parameter.copy_(torch.tensor(value).expand_as(parameter))
        rows = tuple(torch.tensor(part, dtype=torch.float64)[None, None] for part in state)
        _, after = recurrent.step(torch.tensor(x, dtype=torch.float64)[None], rows)
    return [pytest.approx(part.flatten().tolist(), abs=tolerance) for part in after]


@pytest.mark.parametrize("cell", [RNN, RNNReference])
def test_rnn_by_hand(cell):
    weights = {"weight_ih": [[1.0, 0.0], [0.0, 1.0]], "weight_hh": [[0.0, 1.0], [1.0, 0.0]]}
    given = {"x": [0.5, -1.0], "state": [[0.25, 0.5]], **weights}
    assert by_hand(cell, **given) == [[0.7615942, -0.6351490]]  # tanh(0.5 + 0.5), tanh(-1 + 0.25)
    assert by_hand(partial(cell, nonlinearity="relu"), **given) == [[1.0, 0.0]]


@pytest.mark.parametrize("cell", [LSTM, LSTMReference])
class TestLSTMByHand:
    def test_a_forget_gate_wide_open_and_a_closed_input_gate_keep_the_memory(self, cell):
        gates = [CLOSED, CLOSED, OPEN, OPEN, 0.3, 0.7, OPEN, OPEN]  # i, f, g, o of two units
        after = by_hand(cell, x=[1.0], state=[[9.0, 9.0], [0.5, -2.0]], bias_ih=gates)
        assert after == [[0.4621172, -0.9640276], [0.5, -2.0]]  # h = tanh(c)

    def test_a_closed_forget_gate_and_an_open_input_gate_write_the_memory_anew(self, cell):
        gates = [OPEN, OPEN, CLOSED, CLOSED, 1.0, 0.0, OPEN, OPEN]
        after = by_hand(cell, x=[1.0], state=[[9.0, 9.0], [0.5, -2.0]], bias_hh=gates)
        assert after == [[0.6420150, 0.0], [0.7615942, 0.0]]  # c = tanh(g)

    def test_a_closed_output_gate_hides_a_memory_that_stays(self, cell):
        gates = [CLOSED, CLOSED, OPEN, OPEN, 0.0, 0.0, CLOSED, OPEN]
        after = by_hand(cell, x=[1.0], state=[[9.0, 9.0], [1.0, 1.0]], bias_ih=gates)
        assert after == [[0.0, 0.7615942], [1.0, 1.0]]

    def test_gates_half_open(self, cell):
        # i = f = o = 1/2, g = tanh(2 * 0.5) with x = 0.5: c = 1/2 * 2 + 1/2 * 0.7615942
        after = by_hand(cell, x=[0.5], state=[[0.0], [2.0]], weight_ih=[[0.0], [0.0], [2.0], [0.0]])
        assert after == [[0.4405648], [1.3807971]]


# r is open for the first unit and closed for the second, z is closed for both; h is turned round by the product.
RESET = {
    "bias_ih": [OPEN, CLOSED, CLOSED, CLOSED, 0.0, 0.0],
    "weight_hh": [[0.0, 0.0]] * 4 + [[0.0, 1.0], [1.0, 0.0]],
}


@pytest.mark.parametrize("cell", [GRU, GRUReference, GRUCho])
class TestGRUByHand:
    def test_an_open_update_gate_keeps_the_state(self, cell):
        gates = [0.0, 0.0, OPEN, CLOSED, 1.0, 1.0]  # r, z, n of two units; z is open for the first alone
        assert by_hand(cell, x=[1.0], state=[[5.0, 5.0]], bias_ih=gates) == [[5.0, 0.7615942]]

    def test_gates_half_open(self, cell):
        # r = z = 1/2, n = tanh(0.5 + 1/2 * (1 * 1)): h' = 1/2 * 0.7615942 + 1/2 * 1
        after = by_hand(cell, x=[0.5], state=[[1.0]], weight_ih=[[0.0], [0.0], [1.0]], weight_hh=[[0.0], [0.0], [1.0]])
        assert after == [[0.8807971]]


@pytest.mark.parametrize("cell", [GRU, GRUReference])
def test_torchs_reset_gate_falls_on_the_product(cell):
    # n = tanh(r * (U h)), U h = (1, 0.5)
    assert by_hand(cell, x=[0.0], state=[[0.5, 1.0]], **RESET) == [[0.7615942, 0.0]]


def test_chos_reset_gate_falls_on_the_state():
    # n = tanh(U (r * h)), r * h = (0.5, 0)
    assert by_hand(GRUCho, x=[0.0], state=[[0.5, 1.0]], **RESET) == [[0.0, 0.4621172]]


def test_layer_norm_lstm_by_hand():
    # W x = (1, 1, 3, 3) has mean 2 and deviation 1: i = f = sigmoid(-1), g = tanh(1), o = sigmoid(1);
    # c = 0.2689414 * 1 + 0.2689414 * 0.7615942; LN of one unit is its shift: h = 0.7310586 * tanh(0.5)
    after = by_hand(
        LSTMLayerNorm,
        x=[1.0],
        state=[[0.0], [1.0]],
        weight_ih=[[1.0], [1.0], [3.0], [3.0]],
        shift_c=[0.5],
        tolerance=1e-5,
    )
    assert after == [[0.3378347], [0.4737656]]


def test_layer_norm_gru_by_hand():
    # (r, z) = sigmoid(-1, 1); n = tanh(0.5 + 0.2689414 * 1); h' = 0.2689414 * 2 + 0.7310586 * n
    after = by_hand(
        GRULayerNorm,
        x=[1.0],
        state=[[2.0]],
        weight_ih=[[-1.0], [1.0], [0.0]],
        shift_n_ih=[0.5],
        shift_n_hh=[1.0],
        tolerance=1e-5,
    )
    assert after == [[1.0103756]]


def test_each_transition_updates_the_state_of_the_one_before():
    # All gates half open and nothing new: one half for each transition.
    assert by_hand(GRUDeepTransition, x=[1.0], state=[[8.0, 4.0]]) == [[2.0, 1.0]]
    # The second writes tanh(1) over what the first did.
    anew = {"bias_ih_t2": [0.0, CLOSED, 1.0], "weight_ih": [[3.0], [3.0], [3.0]]}
    assert by_hand(GRUDeepTransition, x=[1.0], state=[[8.0]], **anew) == [[0.7615942]]


def test_one_transition_is_the_gru():
    ordinary = stack("gru", num_layers=2, bidirectional=True)
    deep = GRUDeepTransition(3, hidden_size=4, num_layers=2, bidirectional=True, transitions=1).double()
    deep.load_state_dict(ordinary.state_dict())
    assert_same(deep.scan(inputs(3, 4)), ordinary.scan(inputs(3, 4)))


def test_no_transition_is_refused():
    with pytest.raises(InputError, match="cannot go through 0 transitions; set transitions to 1 or more"):
        GRUDeepTransition(3, hidden_size=4, transitions=0)


@pytest.mark.parametrize("cell", [RNN, RNNReference])
def test_an_unknown_nonlinearity_is_refused(cell):
    with pytest.raises(InputError, match="nonlinearity=gelu is unknown; give tanh or relu"):
        cell(3, hidden_size=4, nonlinearity="gelu")


def test_the_gru_of_the_paper_is_another_function_of_the_same_weights():
    ordinary, cho = stack("gru"), stack("gru_cho")
    cho.load_state_dict(ordinary.state_dict())
    assert not torch.allclose(cho.scan(inputs(2, 5))[0], ordinary.scan(inputs(2, 5))[0], atol=1e-2)


def rows_shifted(weight, blocks):
    """Add one vector to all rows of each block of a matrix, another to those of the next."""
    vectors = torch.randn(len(blocks), weight.shape[1], dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    return weight + torch.repeat_interleave(vectors, torch.tensor(blocks), dim=0)


@pytest.mark.parametrize(("cell", "blocks"), [("lstm_layernorm", [16]), ("gru_layernorm", [8, 4])])
@pytest.mark.parametrize("name", ["weight_ih_l0", "weight_hh_l0"])
def test_layer_norm_takes_away_what_all_units_have_in_common_and_the_size_of_the_weights(cell, blocks, name):
    recurrent, x = stack(cell), inputs(2, 5)
    state, weights = first_state(recurrent, 2), recurrent.state_dict()
    expected = recurrent.scan(x, state=state)
    recurrent.load_state_dict({**weights, name: rows_shifted(weights[name], blocks)})
    assert_same(recurrent.scan(x, state=state), expected, tolerance=1e-10)
    recurrent.load_state_dict({**weights, name: 7 * weights[name]})
    assert_same(recurrent.scan(x, state=state), expected, tolerance=1e-3)  # the guard 1e-5 is not scaled


def test_without_layer_norm_the_size_of_the_weights_matters():
    recurrent, x = stack("lstm"), inputs(2, 5)
    expected, _ = recurrent.scan(x)
    recurrent.load_state_dict({name: 7 * weight for name, weight in recurrent.state_dict().items()})
    assert not torch.allclose(recurrent.scan(x)[0], expected, atol=1e-1)


def run_torch(kernel, x, lengths):
    """What torch's own module makes of a ragged batch: outputs (B, T, D), final parts of (B, L, D)."""
    packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
    outputs, final = kernel(packed)
    outputs, _ = pad_packed_sequence(outputs, batch_first=True, total_length=x.shape[1])
    parts = final if isinstance(final, tuple) else (final,)
    per_layer = (part.unflatten(0, (kernel.num_layers, -1)) for part in parts)
    return outputs, tuple(part.permute(2, 0, 1, 3).flatten(2) for part in per_layer)


def gradients(results, x, module):
    """Of inputs and weights by name, of a sum in which every output and every final part has a weight of its own."""
    outputs, final = results
    random = torch.Generator().manual_seed(13)
    parts = (outputs, *final)
    loss = sum((part * torch.randn(part.shape, dtype=part.dtype, generator=random)).sum() for part in parts)
    names, parameters = zip(*module.named_parameters(), strict=True)
    of_inputs, *of_weights = torch.autograd.grad(loss, [x, *parameters])
    return {"inputs": of_inputs, **dict(zip(names, of_weights, strict=True))}


@pytest.mark.parametrize("kind", ["", "_reference"], ids=["fused", "reference"])
@pytest.mark.parametrize("cell", FUSED)
@pytest.mark.parametrize("lengths", [LENGTHS, [4, 4, 4]], ids=["ragged", "equal"])
@layers_and_directions
def test_outputs_final_states_and_gradients_are_those_of_torchs_module(kind, cell, lengths, layers, bidirectional):
    options = {"num_layers": layers, "bidirectional": bidirectional}
    kernel = FUSED[cell](3, 4, batch_first=True, **options).double()
    name, _, nonlinearity = cell.partition(" ")
    recurrent = stack(f"{name}{kind} {nonlinearity}".strip(), **options)
    kernel.load_state_dict(recurrent.state_dict())
    x, lengths = inputs(3, 4).requires_grad_(), torch.tensor(lengths)
    expected, actual = run_torch(kernel, x, lengths), recurrent.scan(x, lengths=lengths)
    assert_same(actual, expected)
    wanted, got = gradients(expected, x, kernel), gradients(actual, x, recurrent)
    assert list(got) == list(wanted)
    for name in wanted:
        assert_same(got[name], wanted[name])


@pytest.mark.parametrize("cell", FUSED)
def test_weights_load_from_torch(cell):
    options = {"num_layers": 2, "bidirectional": True}
    kernel = FUSED[cell](3, 4, **options)
    recurrent = CELLS[cell](3, hidden_size=4, **options)
    assert list(recurrent.state_dict()) == list(kernel.state_dict())
    name, _, nonlinearity = cell.partition(" ")
    reference = stack(f"{name}_reference {nonlinearity}".strip(), **options)
    reference.load_state_dict(kernel.state_dict())
    recurrent.load_state_dict(reference.state_dict())
    assert_same(list(recurrent.state_dict().values()), list(kernel.state_dict().values()), tolerance=1e-7)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
@pytest.mark.parametrize("cell", FUSED)
@pytest.mark.parametrize("lengths", [LENGTHS, None], ids=["ragged", "whole"])
@layers_and_directions
def test_the_fused_kernel_is_the_loop(monkeypatch, cell, lengths, layers, bidirectional, dtype, tolerance):
    recurrent = stack(cell, num_layers=layers, bidirectional=bidirectional).to(dtype)
    x, lengths = inputs(3, 4).to(dtype).requires_grad_(), None if lengths is None else torch.tensor(lengths)
    state = tuple(part.to(dtype) for part in first_state(recurrent, 3))
    fused = recurrent.scan(x, lengths=lengths, state=state)
    monkeypatch.setattr(recurrent, "kernel", lambda: None)
    loop = recurrent.scan(x, lengths=lengths, state=state)
    assert_same(fused, loop, tolerance)
    wanted, got = gradients(loop, x, recurrent), gradients(fused, x, recurrent)
    for name in wanted:
        assert_same(got[name], wanted[name], 10 * tolerance)
