"""Dropout drops the share it is told to, unit by unit, and scales up what is kept.

Shares and correlations are bounded by five standard deviations; the draws are the same each time.
"""

import math

import pytest
import torch

from s2s.errors import InputError
from s2s.model.dropout import BITS, Dropout, Dropouts, dropout

PROBABILITIES = [0.01, 0.1, 0.2, 0.25, 0.5, 0.7, 0.9, 0.999]

every_probability = pytest.mark.parametrize("probability", PROBABILITIES)
every_dtype = pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(23)


def which_are_kept(units, probability):
    """Of so many units, True for each that is kept."""
    return dropout(torch.ones(units), probability) != 0


def assert_share(seen, share):
    """Check the share of True among independent draws."""
    deviation = math.sqrt(share * (1 - share) / seen.numel())
    assert abs(seen.double().mean().item() - share) < 5 * deviation


@every_probability
def test_the_share_dropped_is_the_probability(probability):
    assert_share(~which_are_kept(400_000, probability), probability)


@pytest.mark.parametrize("levels", [1, 2, 2**BITS - 1])
def test_the_share_is_right_to_the_last_bit_drawn(levels):
    assert_share(~which_are_kept(2**22, levels / 2**BITS), levels / 2**BITS)


@every_dtype
@every_probability
def test_kept_units_are_scaled_by_one_over_the_share_kept(probability, dtype):
    inputs = torch.randn(999, dtype=dtype)
    scale = torch.tensor(1 / (1 - probability), dtype=dtype)
    outputs = dropout(inputs, probability)
    kept = outputs != 0
    assert outputs.dtype == dtype
    assert 0 < kept.sum() < 999
    assert torch.equal(outputs, torch.where(kept, inputs * scale, 0))


@pytest.mark.parametrize("probability", [0.1, 0.5, 0.8])
def test_units_are_dropped_independently(probability):
    """Near ones, those within one draw of 64 bits too, and those at the same place of neighbouring draws."""
    dropped = (~which_are_kept(400_000, probability)).double() - probability
    for apart in range(1, 10):
        correlation = (dropped[apart:] * dropped[:-apart]).mean() / (probability * (1 - probability))
        assert abs(correlation) < 5 / math.sqrt(len(dropped) - apart)
    for place, other in ((0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)):
        of_draws = dropped.view(-1, 4)
        correlation = (of_draws[:, place] * of_draws[:, other]).mean() / (probability * (1 - probability))
        assert abs(correlation) < 5 / math.sqrt(len(of_draws))


@pytest.mark.parametrize("place", range(4))
def test_every_place_of_a_draw_has_the_same_share(place):
    assert_share(~which_are_kept(400_000, 0.3).view(-1, 4)[:, place], 0.3)


@every_dtype
@pytest.mark.parametrize(
    "shape", [(), (1,), (2,), (3,), (4,), (5,), (7, 9), (2, 3, 5), (0,), (3, 0), (1, 1, 1)], ids=str
)
def test_any_shape_comes_out_as_it_went_in(shape, dtype):
    outputs = dropout(torch.ones(shape, dtype=dtype), 0.5)
    assert (outputs.shape, outputs.dtype) == (shape, dtype)
    assert ((outputs == 0) | (outputs == 2)).all()


def test_the_last_units_of_an_odd_size_are_dropped_too():
    last = torch.stack([which_are_kept(7, 0.5)[4:] for _ in range(2000)])
    for unit in last.unbind(dim=1):
        assert_share(unit, 0.5)


def test_units_are_dropped_wherever_they_lie_in_memory():
    inputs = torch.arange(1.0, 49.0).view(6, 8).t()
    expected = dropout(inputs.contiguous(), 0.5)
    torch.manual_seed(23)
    assert torch.equal(dropout(inputs, 0.5), expected)


@every_dtype
@pytest.mark.parametrize(("probability", "training"), [(0.5, False), (1.0, False), (0.0, True), (0.0, False)])
def test_inputs_stay_as_they_are_in_use_or_without_dropout(probability, training, dtype):
    inputs = torch.randn(5, 7, dtype=dtype)
    assert dropout(inputs, probability, training) is inputs
    assert Dropout(probability).train(training)(inputs) is inputs


@every_dtype
def test_with_probability_one_nothing_is_left(dtype):
    inputs = torch.randn(5, 7, dtype=dtype, requires_grad=True)
    outputs = dropout(inputs, 1.0)
    (gradient,) = torch.autograd.grad(outputs.sum(), inputs)
    assert (outputs == 0).all()
    assert (gradient == 0).all()


@every_dtype
def test_the_gradient_is_zero_where_dropped_and_scaled_where_kept(dtype):
    inputs = torch.randn(11, 13, dtype=dtype, requires_grad=True)
    above = torch.randn(11, 13, dtype=dtype)
    outputs = dropout(inputs, 0.3)
    (gradient,) = torch.autograd.grad(outputs, inputs, above)
    scale = torch.tensor(1 / (1 - 0.3), dtype=dtype)
    assert gradient.dtype == dtype
    assert torch.equal(gradient, torch.where(outputs != 0, above * scale, 0))


def test_inputs_are_not_written_to():
    inputs = torch.ones(20)
    dropout(inputs, 0.5)
    assert (inputs == 1).all()


def test_the_draws_follow_torchs_seed():
    first, second = which_are_kept(100, 0.5), which_are_kept(100, 0.5)
    assert not torch.equal(first, second)
    torch.manual_seed(23)
    assert torch.equal(which_are_kept(100, 0.5), first)
    assert torch.equal(which_are_kept(100, 0.5), second)
    torch.manual_seed(24)
    assert not torch.equal(which_are_kept(100, 0.5), first)


def test_a_layer_drops_in_training_alone():
    inputs, layer = torch.ones(100), Dropout(0.25)
    expected = dropout(inputs, 0.25)
    torch.manual_seed(23)
    assert torch.equal(layer(inputs), expected)
    assert layer.eval()(inputs) is inputs


@pytest.mark.parametrize("training", [True, False])
def test_a_mask_goes_before_the_probability(training):
    mask, inputs = torch.tensor([[2.0, 0.0], [0.0, 2.0]]), torch.ones(2, 2)
    assert torch.equal(dropout(inputs, 0.9, training, mask), mask)


def test_a_mask_of_sequences_lies_over_all_their_positions():
    mask = torch.tensor([[2.0, 0.0], [0.0, 2.0]])
    assert torch.equal(dropout(torch.ones(2, 5, 2), 0.0, True, mask), mask[:, None].expand(2, 5, 2))


def test_a_variational_layer_draws_a_mask_of_its_probability_for_each_row():
    layer, rows = Dropout(0.25, variational=True), torch.ones(500, 3, dtype=torch.float64)
    mask = layer.draw(rows, 40)
    assert (mask.shape, mask.dtype) == ((500, 40), torch.float64)
    assert_share(mask == 0, 0.25)
    assert torch.equal(mask[mask != 0].unique(), torch.tensor([1 / 0.75], dtype=torch.float64))
    assert torch.equal(layer(torch.ones(500, 7, 40, dtype=torch.float64), mask)[:, 6], mask)


def test_no_mask_is_drawn_by_an_ordinary_layer_of_no_probability_or_in_use():
    rows = torch.ones(2, 3)
    layers = (Dropout(0.25), Dropout(0.0, variational=True), Dropout(0.25, variational=True).eval())
    assert [layer.draw(rows, 3) for layer in layers] == [None] * 3


@pytest.mark.parametrize("place", [name for name in vars(Dropouts()) if name != "variational"])
@pytest.mark.parametrize("probability", [-0.1, 1.0])
def test_a_place_that_would_drop_all_or_fewer_than_none_is_refused(probability, place):
    message = f"^model.{place}_dropout={probability} is no probability below 1; give a number from 0 to 0.9$"
    with pytest.raises(InputError, match=message):
        Dropouts(**{place: probability})


@pytest.mark.parametrize("probability", [-0.1, 1.1])
def test_what_is_no_probability_is_refused(probability):
    with pytest.raises(ValueError, match=f"has to be between 0 and 1, but got {probability}"):
        dropout(torch.ones(3), probability)
    with pytest.raises(ValueError, match="has to be between 0 and 1"):
        Dropout(probability)
