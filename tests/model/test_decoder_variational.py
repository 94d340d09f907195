"""What is drawn for a whole target: masks and weights that all its positions share, in training alone."""

from dataclasses import replace
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
from s2s.model.decoder_conditional import ConditionalDecoder
from s2s.model.draws import LayerDraws
from s2s.model.kernel_cells import LSTM

ALL = DECODERS | UNATTENDED

every_decoder = pytest.mark.parametrize("decoder", ALL)


def forgetful(decoder, **options):
    """A model in training that drops the same units of its state at all positions of a target."""
    return model_of(decoder, rnn=partial(LSTM, variational_dropout=0.5), num_layers=3, **options).train()


def masks_of(state, name):
    """The masks of all recurrent stacks, one after another, (N, layers, H)."""
    return torch.cat([getattr(of_stack, name) for of_stack in state.draws.layers], dim=1)


def assert_masked_units_are_not_read(model):
    """Change h where the mask is zero, and then where it is not."""
    state, memory = model.start(padded(SOURCES))
    hidden, memory_of_lstm = state.rnn
    masks = masks_of(state, "hidden")
    if isinstance(model.decoder, ConditionalDecoder):
        masks = torch.cat([masks[:, :1], masks[:, 2:]], dim=1)  # the second transition reads h of the first
    masked = masks == 0

    def output(places):
        changed = replace(state, rnn=(torch.where(places, hidden + 1, hidden), memory_of_lstm))
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
    masks = [masks_of(state, name) for name in ("hidden", "upward")]
    assert [mask.shape for mask in masks] == [(3, 4 if decoder == "conditional" else 3, 6)] * 2
    assert [set(mask.unique().tolist()) for mask in masks] == [{0.0, 2.0}] * 2
    draws = state.draws
    for token in (4, 5, 6):
        state = model.step(torch.full((3,), token), state, memory).state
        assert state.draws is draws
    assert not torch.equal(masks_of(model.start(padded(SOURCES))[0], "hidden"), masks[0])
    assert set(model.eval().start(padded(SOURCES))[0].draws.layers) == {LayerDraws()}


@every_decoder
def test_units_under_the_mask_are_not_read_by_the_next_position(decoder):
    attention = GeneralAttention if decoder == "conditional" else NoAttention
    assert_masked_units_are_not_read(forgetful(decoder, attention=attention))


@every_decoder
def test_what_passes_up_a_layer_is_under_one_mask_too(decoder):
    model = forgetful(decoder, dropout=0.5, decoder_layers=2)
    state, memory = model.start(padded(SOURCES))

    def top(token, mask):
        layers = tuple(replace(draws, upward=torch.full_like(draws.upward, mask)) for draws in state.draws.layers)
        masked = replace(state, draws=replace(state.draws, layers=layers))
        return model.decoder.step(embedded(3, seed=token), masked, memory).state.rnn[0][:, 1]

    assert torch.equal(top(1, 0.0), top(2, 0.0))
    assert torch.equal(top(1, 1.0), top(1, 1.0))
    assert (top(1, 1.0) - top(2, 1.0)).abs().max() > 1e-4
