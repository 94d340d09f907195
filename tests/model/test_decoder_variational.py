"""Variational dropout in decoders: one mask for all positions of a target, in training alone."""

from functools import partial

import pytest
import torch
from tiny_models import (
    DECODERS,
    SOURCES,
    UNATTENDED,
    assert_same,
    batch_of,
    embedded,
    model_of,
    padded,
    written,
)

from s2s.model.attention import GeneralAttention, NoAttention
from s2s.model.kernel_cells import LSTM

ALL = DECODERS | UNATTENDED

every_decoder = pytest.mark.parametrize("decoder", ALL)


def forgetful(decoder, **options):
    """A model in training that drops the same units of its state at all positions of a target."""
    return model_of(decoder, rnn=partial(LSTM, variational_dropout=0.5), num_layers=3, **options).train()


def assert_masked_units_are_not_read(model):
    """Change h where the mask is zero, and then where it is not."""
    state, memory = model.start(padded(SOURCES))
    hidden, *others = state.rnn
    masked = others[1] == 0

    def output(places):
        changed = type(state)((torch.where(places, hidden + 1, hidden), *others), state.feed, state.attended)
        return model.decoder.step(embedded(3), changed, memory).output

    torch.manual_seed(5)
    expected = output(torch.zeros_like(masked))
    assert torch.equal(output(masked), expected)
    assert (output(~masked) - expected).abs().max() > 1e-3


@every_decoder
def test_under_variational_dropout_teacher_forcing_is_the_steps_from_one_seed(decoder):
    model, batch, runs = forgetful(decoder), batch_of([0, 1, 2]), []
    for write in (model, partial(written, model)):
        torch.manual_seed(31)
        runs.append(write(batch))
    assert_same(*runs)
    assert (runs[0][0] - model(batch)[0]).abs().max() > 1e-3
    assert_same(model.eval()(batch), model(batch))


@every_decoder
def test_one_mask_lies_over_all_positions_of_a_target(decoder):
    model = forgetful(decoder)
    state, memory = model.start(padded(SOURCES))
    masks = state.rnn[2:]
    assert [mask.shape for mask in masks] == [(3, 3, 6)] * 2
    assert [set(mask.unique().tolist()) for mask in masks] == [{0.0, 2.0}] * 2
    for token in (4, 5, 6):
        state = model.step(torch.full((3,), token), state, memory).state
        assert all(torch.equal(after, before) for after, before in zip(state.rnn[2:], masks, strict=True))
    assert not torch.equal(model.start(padded(SOURCES))[0].rnn[2], masks[0])
    assert len(model.eval().start(padded(SOURCES))[0].rnn) == 2


@pytest.mark.parametrize("decoder", [name for name in ALL if name != "conditional"])
def test_units_under_the_mask_are_not_read_by_the_next_position(decoder):
    model = forgetful(decoder, attention=NoAttention)
    assert_masked_units_are_not_read(model)


def test_units_under_the_mask_are_not_read_by_the_conditional_decoders_first_transition():
    assert_masked_units_are_not_read(forgetful("conditional", attention=GeneralAttention))


@every_decoder
def test_what_passes_up_a_layer_is_under_one_mask_too(decoder):
    model = forgetful(decoder, dropout=0.5, decoder_layers=2)
    state, memory = model.start(padded(SOURCES))

    def top(token, mask):
        masked = type(state)((*state.rnn[:3], torch.full_like(state.rnn[3], mask)), state.feed, state.attended)
        return model.decoder.step(embedded(3, seed=token), masked, memory).state.rnn[0][:, 1]

    assert torch.equal(top(1, 0.0), top(2, 0.0))
    assert torch.equal(top(1, 1.0), top(1, 1.0))
    assert (top(1, 1.0) - top(2, 1.0)).abs().max() > 1e-4
