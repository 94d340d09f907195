"""Stacks of recurrent layers: what is the same for every cell, from dropout to padding that is never read."""

import warnings
from dataclasses import replace

import pytest
import torch
from tiny_models import assert_same
from tiny_recurrent import CELLS, first_state, inputs, some_draws, stack

from s2s.errors import InputError
from s2s.model.draws import LayerDraws
from s2s.model.dropout import Dropouts
from s2s.model.layer_scan import scan_by_kernel

ALL = 1 - 2**-16  # the most that can drop out; the draws are the same each time

every_cell = pytest.mark.parametrize("cell", CELLS)
with_and_without_residual = pytest.mark.parametrize("residual", [False, True])


def zero_state(recurrent, rows):
    return tuple(torch.zeros_like(part) for part in first_state(recurrent, rows))


def single_layer(recurrent, layer, **options):
    """A stack of its own made of one layer of another."""
    suffix = f"_l{layer}"
    weights = {name: weight for name, weight in recurrent.state_dict().items() if suffix in name}
    alone = type(recurrent)(
        weights[f"weight_ih{suffix}"].shape[1],
        hidden_size=recurrent.hidden_size,
        **{name: getattr(recurrent, name) for name in ("nonlinearity", "transitions") if hasattr(recurrent, name)},
        **options,
    ).double()
    alone.load_state_dict({name.replace(suffix, "_l0"): weight for name, weight in weights.items()})
    return alone.eval()


@every_cell
@pytest.mark.parametrize("layers", [1, 3])
@with_and_without_residual
def test_steps_are_the_scan(cell, layers, residual):
    recurrent = stack(cell, num_layers=layers, residual=residual)
    x, state = inputs(3, 5), first_state(recurrent, 3)
    outputs, final = recurrent.scan(x, state=state)
    for position in range(5):
        output, state = recurrent.step(x[:, position], state)
        assert_same(output, outputs[:, position])
    assert_same(state, final)


@every_cell
@with_and_without_residual
def test_steps_with_masks_handed_on_are_the_scan_under_the_same_masks(cell, residual):
    recurrent = stack(cell, num_layers=3, residual=residual, variational_dropout=0.5).train()
    torch.manual_seed(19)
    x, state = inputs(3, 5), first_state(recurrent, 3)
    draws = recurrent.draw(x)
    outputs, final = recurrent.scan(x, state=state, draws=draws)
    for position in range(5):
        output, state = recurrent.step(x[:, position], state, draws)
        assert_same(output, outputs[:, position])
    assert_same(state, final)


@every_cell
@pytest.mark.parametrize("bidirectional", [False, True])
def test_a_scan_starts_from_zeros_where_no_state_is_given(cell, bidirectional):
    recurrent = stack(cell, num_layers=2, bidirectional=bidirectional)
    zeros = zero_state(recurrent, 2)
    assert_same(recurrent.scan(inputs(2, 3)), recurrent.scan(inputs(2, 3), state=zeros))


@every_cell
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize(("layers", "residual"), [(1, False), (2, False), (2, True)])
def test_padding_is_never_read(cell, bidirectional, layers, residual):
    recurrent = stack(cell, num_layers=layers, bidirectional=bidirectional, residual=residual)
    x, lengths = inputs(3, 6), [2, 5, 1]
    for row, length in enumerate(lengths):
        x[row, length:] = torch.nan
    outputs, final = recurrent.scan(x.requires_grad_(), lengths=torch.tensor(lengths))
    for row, length in enumerate(lengths):
        alone, alone_final = recurrent.scan(x[row : row + 1, :length])
        assert_same(outputs[row : row + 1, :length], alone)
        assert_same(tuple(part[row : row + 1] for part in final), alone_final)
        assert (outputs[row, length:] == 0).all()
    sum(part.sum() for part in (outputs, *final)).backward()
    assert all(parameter.grad.isfinite().all() for parameter in recurrent.parameters())
    for row, length in enumerate(lengths):
        assert x.grad[row, :length].isfinite().all()
        assert (x.grad[row, length:] == 0).all()


@every_cell
def test_the_second_direction_reads_from_the_end(cell):
    recurrent, backward = stack(cell, bidirectional=True), stack(cell)
    weights = recurrent.state_dict()
    backward.load_state_dict({name: weights[f"{name}_reverse"] for name in backward.state_dict()})
    x = inputs(2, 4)
    outputs, final = recurrent.scan(x)
    expected, expected_final = backward.scan(x.flip(1))
    assert_same(outputs[..., 4:], expected.flip(1))
    assert_same(tuple(part[..., 4:] for part in final), expected_final)


@every_cell
def test_dropout_falls_between_layers_and_in_training_alone(cell):
    whole, dropped = stack(cell, num_layers=2), stack(cell, num_layers=2, dropouts=Dropouts(layer=ALL))
    x, state = inputs(2), first_state(whole, 2)
    assert_same(dropped.step(x, state), whole.step(x, state))
    assert_same(dropped.scan(x[:, None], state=state), whole.scan(x[:, None], state=state))
    torch.manual_seed(3)
    dropped.train()
    output, after = dropped.step(x, state)
    upper, _ = single_layer(whole, 1).step(torch.zeros_like(output), tuple(part[:, 1:] for part in state))
    assert_same(output, upper)
    assert_same(after[0][:, 0], whole.step(x, state)[1][0][:, 0])
    assert_same(dropped.scan(x[:, None], state=state), (output[:, None], after))


@every_cell
def test_one_layer_has_nothing_between_layers_to_drop(cell):
    recurrent = stack(cell, dropouts=Dropouts(layer=0.9)).train()
    x, state = inputs(2, 3), first_state(recurrent, 2)
    assert_same(recurrent.scan(x, state=state), recurrent.eval().scan(x, state=state))


@every_cell
@pytest.mark.parametrize("bidirectional", [False, True])
def test_a_residual_layer_adds_its_input_to_its_output_and_keeps_its_own_state(cell, bidirectional):
    recurrent = stack(cell, num_layers=3, bidirectional=bidirectional, residual=True)
    lengths, finals = torch.tensor([4, 2]), []
    x = inputs(2, 4)
    outputs, final = recurrent.scan(x, lengths=lengths)
    for layer in range(3):
        above, state = single_layer(recurrent, layer, bidirectional=bidirectional).scan(x, lengths=lengths)
        x = above + x if layer else above
        finals.append(state)
    assert_same(outputs, x)
    assert_same(final, tuple(torch.cat(parts, dim=1) for parts in zip(*finals, strict=True)))


@every_cell
def test_no_dropout_falls_on_the_residual_path(cell):
    recurrent = stack(cell, num_layers=2, residual=True, dropouts=Dropouts(layer=ALL)).train()
    x, state = inputs(2), first_state(recurrent, 2)
    torch.manual_seed(3)
    output, after = recurrent.step(x, state)
    upper, _ = single_layer(recurrent, 1).step(torch.zeros_like(output), tuple(part[:, 1:] for part in state))
    assert_same(after[0][:, 1], upper)
    assert_same(output, after[0][:, 0] + upper)


def test_masks_drop_a_share_of_the_units_and_scale_the_others():
    recurrent = CELLS["lstm"](3, hidden_size=50, num_layers=2, variational_dropout=0.2)
    torch.manual_seed(23)
    draws = recurrent.draw(inputs(100))
    for mask in (draws.hidden, draws.upward):
        assert mask.shape == (100, 2, 50)
        assert_same(mask.unique(), torch.tensor([0.0, 1.25], dtype=mask.dtype))
        assert 0.17 < (mask == 0).double().mean() < 0.23
    assert not torch.equal(draws.hidden, draws.upward)


@every_cell
def test_a_sequence_begins_with_masks_in_training_alone_and_only_where_they_are_asked_for(cell):
    recurrent = stack(cell, variational_dropout=0.5)
    x = inputs(2, 3)
    assert recurrent.draw(x) == stack(cell).train().draw(x) == LayerDraws()
    draws = recurrent.train().draw(x)
    assert draws.hidden.shape == draws.upward.shape == (2, 1, 4)
    assert_same(recurrent.eval().scan(x), stack(cell).scan(x))


@every_cell
@pytest.mark.parametrize("bidirectional", [False, True])
def test_a_scan_without_a_state_draws_masks_of_its_own_for_every_sequence(cell, bidirectional):
    recurrent = stack(cell, num_layers=2, bidirectional=bidirectional, variational_dropout=0.5).train()
    x = inputs(1, 4).expand(3, 4, 3)
    torch.manual_seed(31)
    outputs, final = recurrent.scan(x, lengths=torch.tensor([4, 4, 4]))
    assert not torch.allclose(outputs[0], outputs[1])
    torch.manual_seed(31)
    assert_same(recurrent.scan(x, state=zero_state(recurrent, 3), draws=recurrent.draw(x)), (outputs, final))
    assert not torch.allclose(recurrent.scan(x)[0], outputs)


@pytest.mark.parametrize("cell", ["rnn", "rnn_reference", "lstm", "lstm_reference", "lstm_layernorm"])
def test_a_unit_that_is_dropped_is_dropped_at_every_position(cell):
    """Where all of h is dropped nothing is known of the position before, at any position, but by the LSTM's memory."""
    recurrent = stack(cell)
    x, state = inputs(2, 4), first_state(recurrent, 2)
    none, all_of_it = (LayerDraws(hidden=torch.full_like(state[0], share)) for share in (0.0, 1.0))
    other = (state[0] + 1, *state[1:])
    outputs, _ = recurrent.scan(x, state=state, draws=none)
    assert_same(recurrent.scan(x, state=other, draws=none)[0], outputs)
    if recurrent.state_parts == 1:
        for position in range(4):
            alone, _ = recurrent.scan(x[:, position : position + 1], state=state, draws=none)
            assert_same(alone[:, 0], outputs[:, position])
    assert not torch.allclose(recurrent.scan(x, state=other, draws=all_of_it)[0], outputs)


@pytest.mark.parametrize("cell", ["gru", "gru_reference", "gru_cho"])
def test_an_open_update_gate_keeps_the_state_under_any_mask(cell):
    recurrent = stack(cell)
    with torch.no_grad():
        recurrent.bias_ih_l0[4:8] = 60
    state = first_state(recurrent, 2)
    outputs, _ = recurrent.scan(inputs(2, 30), state=state, draws=some_draws(recurrent, 2))
    assert_same(outputs, state[0].expand(2, 30, 4))


@every_cell
def test_variational_dropout_takes_the_place_of_dropout_between_layers(cell):
    both = stack(cell, num_layers=2, dropouts=Dropouts(layer=ALL), variational_dropout=0.5).train()
    x, state = inputs(2, 3), first_state(both, 2)
    draws = some_draws(both, 2)
    outputs, final = both.scan(x, state=state, draws=draws)
    assert_same((outputs, final), stack(cell, num_layers=2).scan(x, state=state, draws=draws))
    nothing_passes = replace(draws, upward=torch.zeros_like(draws.upward))
    assert not torch.allclose(both.scan(x, state=state, draws=nothing_passes)[0], outputs)


def units_left(cell, dropouts, reading):
    """Which of 400 units are left after each of three positions, (3, 400), where h' is h as the products read it."""
    recurrent = CELLS[cell](3, hidden_size=400, dropouts=dropouts).train()
    with torch.no_grad():
        for weight in recurrent.parameters():
            weight.zero_()
        recurrent.weight_hh_l0.copy_(torch.eye(400))
    torch.manual_seed(37)
    x, state, draws = torch.zeros(1, 3, 3), (torch.ones(1, 1, 400),), recurrent.draw(torch.zeros(1))
    if reading == "scan":
        return recurrent.scan(x, state=state, draws=draws)[0][0] > 0
    left = []
    for position in x.unbind(dim=1):
        _, state = recurrent.step(position, state, draws)
        left.append(state[0][0, 0] > 0)
    return torch.stack(left)


@pytest.mark.parametrize("cell", ["rnn relu", "rnn_reference relu"])
@pytest.mark.parametrize("reading", ["scan", "step"])
@pytest.mark.parametrize("grad", [True, False])
def test_units_of_h_drop_out_anew_at_each_position_or_for_the_whole_sequence(grad, reading, cell):
    with torch.set_grad_enabled(grad):
        anew = units_left(cell, Dropouts(recurrent=0.5), reading).double().mean(dim=1)
        once = units_left(cell, Dropouts(recurrent=0.5, variational=True), reading)
    assert anew.tolist() == pytest.approx([0.5, 0.25, 0.125], abs=0.08)
    assert float(once[0].double().mean()) == pytest.approx(0.5, abs=0.08)
    assert torch.equal(once, once[:1].expand_as(once))


@every_cell
def test_what_passes_up_is_dropped_once_a_sequence_without_touching_h(cell):
    recurrent = stack(cell, num_layers=2, dropouts=Dropouts(layer=0.5, variational=True)).train()
    torch.manual_seed(29)
    draws = recurrent.draw(inputs(50))
    assert draws.hidden is None
    assert draws.upward.shape == (50, 2, 4)
    x, state = inputs(50, 3), first_state(recurrent, 50)
    expected = stack(cell, num_layers=2).scan(x, state=state, draws=draws)
    assert_same(recurrent.scan(x, state=state, draws=draws), expected)


@every_cell
def test_rows_of_draws_are_selected_as_rows_of_the_state_are(cell):
    recurrent = stack(cell, num_layers=2, variational_dropout=0.5, weight_dropout=0.5).train()
    rows = torch.tensor([2, 0, 0])
    x, state = inputs(3), first_state(recurrent, 3)
    draws = recurrent.draw(x)
    output, _ = recurrent.step(x, state, draws)
    again, _ = recurrent.step(x[rows], tuple(part[rows] for part in state), draws.select(rows))
    assert_same(again, output[rows])
    assert LayerDraws().select(rows) == LayerDraws()


@every_cell
def test_layers_run_under_autocast(cell):
    recurrent, lengths = stack(cell, num_layers=2, bidirectional=True, residual=True).float(), torch.tensor([4, 2])
    x = inputs(2, 4).float()
    expected, _ = recurrent.scan(x, lengths=lengths)
    with torch.autocast("cpu", torch.bfloat16):
        outputs, _ = recurrent.scan(x, lengths=lengths)
    torch.testing.assert_close(outputs.float(), expected, rtol=0, atol=0.05)


@every_cell
def test_no_layer_is_refused(cell):
    with pytest.raises(InputError, match="of 0 layers cannot be built; set num_layers to 1 or more"):
        stack(cell, num_layers=0)


@every_cell
@pytest.mark.parametrize("probability", [-0.1, 1.0])
def test_dropping_every_unit_or_fewer_than_none_is_refused(cell, probability):
    message = f"model.rnn.variational_dropout={probability} is no probability below 1; give a number from 0 to 0.9"
    with pytest.raises(InputError, match=message):
        stack(cell, variational_dropout=probability)


@pytest.mark.parametrize("cell", ["rnn", "rnn relu", "gru", "lstm"])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_the_kernels_of_a_gpu_read_unequal_lengths_as_a_cpu_does(monkeypatch, cell, bidirectional):
    recurrent, lengths = stack(cell, num_layers=2, bidirectional=bidirectional), torch.tensor([2, 5, 1, 3])
    x, state = inputs(4, 6), first_state(recurrent, 4)
    read = []
    for on_gpu in (False, True):
        monkeypatch.setattr("s2s.model.recurrent.gates_serve", lambda inputs, on_gpu=on_gpu: not on_gpu)
        leaves = [x.clone().requires_grad_(), *(part.clone().requires_grad_() for part in state)]
        outputs, final = recurrent.scan(leaves[0], lengths=lengths, state=tuple(leaves[1:]))
        loss = outputs.square().sum() + sum(part.sin().sum() for part in final)
        read.append((outputs, *final, *torch.autograd.grad(loss, [*leaves, *recurrent.parameters()])))
    assert_same(read[1], read[0])


class OnGPU(torch.Tensor):
    """A tensor that says it lies on a GPU."""

    is_cuda = True


@pytest.mark.parametrize(("on_gpu", "heard"), [(True, ["of another kind"]), (False, ["scattered", "of another kind"])])
def test_cudnns_warning_of_scattered_weights_and_no_other_is_kept_back(on_gpu, heard):
    texts = {"RNN module weights are not part of single contiguous chunk of memory": "scattered"}

    def kernel(x, state, *_):
        for text in (*texts, "of another kind"):
            warnings.warn(text, stacklevel=1)
        return x, state

    x, state = inputs(1, 2), torch.zeros(1, 3)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        scan_by_kernel(kernel, x.as_subclass(OnGPU) if on_gpu else x, (state,), [state] * 4, None)
    assert [texts.get(str(warning.message), str(warning.message)) for warning in caught] == heard
