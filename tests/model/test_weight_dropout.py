"""Weight dropout: recurrent matrices thinned once for all that is read together, and gradients that go through them."""

from functools import partial
from itertools import chain

import pytest
import torch
from tiny_models import DECODERS, UNATTENDED, assert_same, batch_of, model_of, written
from tiny_recurrent import CELLS, first_state, inputs, stack

from s2s.errors import InputError
from s2s.model.draws import LayerDraws
from s2s.model.kernel_cells import LSTM
from s2s.model.product import GatheredProducts, plain, products_by

every_cell = pytest.mark.parametrize("cell", CELLS)
every_decoder = pytest.mark.parametrize("decoder", DECODERS | UNATTENDED)
LENGTHS = {"equal": None, "ragged": torch.tensor([2, 4, 1])}


def under_draws(cell, **options):
    """A stack in training, what it drew, and a stack in use whose own weights are those that were drawn."""
    torch.manual_seed(41)
    recurrent = stack(cell, weight_dropout=0.5, **options).train()
    draws = recurrent.draw(inputs(3))
    thinned = stack(cell, **options)
    with torch.no_grad():
        for weight, drawn in zip(thinned.parameters(), chain(*draws.weights), strict=True):
            weight.copy_(drawn)
    return recurrent, draws, thinned


def read_in_steps(recurrent, x, state, *draws):
    """Outputs (B, T, H) and the last state, position by position."""
    outputs = []
    for position in x.unbind(dim=1):
        output, state = recurrent.step(position, state, *draws)
        outputs.append(output)
    return torch.stack(outputs, dim=1), state


@every_cell
def test_weights_that_read_h_are_dropped_and_scaled_and_no_others(cell):
    recurrent = CELLS[cell](20, hidden_size=40, num_layers=2, bidirectional=True, weight_dropout=0.2).train()
    torch.manual_seed(43)
    drawn = recurrent.draw(inputs(3)).weights
    for (name, weight), thinned in zip(recurrent.named_parameters(), chain(*drawn), strict=True):
        if name.startswith("weight_hh"):
            kept = thinned != 0
            assert 0.17 < (~kept).double().mean() < 0.23
            assert_same(thinned[kept], weight[kept] / 0.8, 1e-6)
        else:
            assert thinned is weight


@every_cell
def test_nothing_is_drawn_in_use_or_without_weight_dropout(cell):
    recurrent = stack(cell, weight_dropout=0.5)
    assert recurrent.draw(inputs(3)) == stack(cell).train().draw(inputs(3)) == LayerDraws()
    assert_same(recurrent.scan(inputs(3, 4)), stack(cell).scan(inputs(3, 4)))


@every_cell
def test_a_scan_without_draws_makes_its_own(cell):
    recurrent = stack(cell, weight_dropout=0.5, num_layers=2).train()
    torch.manual_seed(47)
    outputs = recurrent.scan(inputs(3, 4))
    torch.manual_seed(47)
    assert_same(recurrent.scan(inputs(3, 4), draws=recurrent.draw(inputs(3))), outputs)
    assert (recurrent.scan(inputs(3, 4))[0] - outputs[0]).abs().max() > 1e-3


@every_cell
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("lengths", LENGTHS)
def test_a_scan_is_that_of_a_stack_with_these_weights_in_value_and_gradient(lengths, bidirectional, cell):
    """To 1e-10; the gradient of a weight is what the thinned one has, scaled, and zero where it was dropped."""
    recurrent, draws, thinned = under_draws(cell, num_layers=2, bidirectional=bidirectional)
    x, state = inputs(3, 4), first_state(recurrent, 3)
    actual = recurrent.scan(x, lengths=LENGTHS[lengths], state=state, draws=draws)
    expected = thinned.scan(x, lengths=LENGTHS[lengths], state=state)
    assert_same(actual, expected, 1e-10)
    assert_gradients_go_through(recurrent, thinned, actual, expected)


@every_cell
@pytest.mark.parametrize("gathered", [False, True], ids=["plain", "gathered"])
def test_steps_are_those_of_a_stack_with_these_weights_in_value_and_gradient(gathered, cell):
    """To 1e-10; with gradients gathered over the positions too, as all positions read one and the same matrix."""
    recurrent, draws, thinned = under_draws(cell, num_layers=2)
    x, state = inputs(3, 4), first_state(recurrent, 3)
    with products_by(GatheredProducts() if gathered else plain):
        actual = read_in_steps(recurrent, x, state, draws)
    expected = read_in_steps(thinned, x, state)
    assert_same(actual, expected, 1e-10)
    assert_gradients_go_through(recurrent, thinned, actual, expected)


def assert_gradients_go_through(recurrent, thinned, actual, expected):
    """Compare the gradients of weights under dropout with those of a stack that has what is left."""
    for outputs, final in (actual, expected):
        sum(
            (part * torch.arange(1.0, part.numel() + 1).view(part.shape)).sum() for part in (outputs, *final)
        ).backward()
    for (name, weight), left in zip(recurrent.named_parameters(), thinned.parameters(), strict=True):
        share = torch.where(left == 0, 0.0, 2.0) if name.startswith("weight_hh") else 1.0
        assert left.grad.any(), name
        assert_same(weight.grad, left.grad * share, 1e-10)


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn", "lstm_reference"])
def test_the_gradient_of_a_recurrent_matrix_is_that_of_small_differences(cell):
    recurrent = stack(cell)
    weights, state = recurrent.layer_weights(0, 0), first_state(recurrent, 2)
    mask = 2.0 * torch.randint(2, weights[1].shape, generator=torch.Generator().manual_seed(3)).double()

    def run(matrix):
        draws = LayerDraws(weights=((weights[0], matrix * mask, *weights[2:]),))
        return recurrent.scan(inputs(2, 3), lengths=torch.tensor([3, 2]), state=state, draws=draws)[0]

    assert torch.autograd.gradcheck(run, weights[1])


def losses(model, batch, product):
    """A loss from one seed, and its gradients."""
    torch.manual_seed(53)
    with products_by(product):
        features, _ = model(batch)
    loss = features.square().sum()
    return loss, torch.autograd.grad(loss, list(model.parameters()), allow_unused=True)


@every_decoder
def test_all_positions_of_a_target_read_the_matrices_drawn_at_its_start(decoder):
    model = model_of(decoder, rnn=partial(LSTM, weight_dropout=0.5), num_layers=2).train()
    batch, runs = batch_of([0, 1, 2]), []
    for write in (model, partial(written, model)):
        torch.manual_seed(31)
        runs.append(write(batch))
    assert_same(*runs)
    assert (runs[0][0] - model(batch)[0]).abs().max() > 1e-3
    assert_same(model.eval()(batch), model(batch))


@every_decoder
def test_gradients_of_a_whole_model_are_the_same_gathered(decoder):
    rnn = partial(LSTM, weight_dropout=0.5, variational_dropout=0.3)
    model = model_of(decoder, rnn=rnn, num_layers=2, variational=True, dropout=0.2, context_dropout=0.2).train()
    (loss, gradients), (expected, wanted) = (
        losses(model, batch_of([0, 1, 2]), product) for product in (GatheredProducts(), plain)
    )
    assert_same(loss, expected)
    for gradient, other in zip(gradients, wanted, strict=True):
        assert (gradient is None) == (other is None)
        if gradient is not None:
            assert_same(gradient, other, 1e-10)


@every_cell
@pytest.mark.parametrize("probability", [-0.1, 1.0])
def test_dropping_every_weight_or_fewer_than_none_is_refused(cell, probability):
    message = f"model.rnn.weight_dropout={probability} is no probability below 1; give a number from 0 to 0.9"
    with pytest.raises(InputError, match=message):
        stack(cell, weight_dropout=probability)
