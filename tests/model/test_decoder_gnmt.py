"""The decoder of GNMT: the bottom layer looks, every layer reads what it saw, residuals from the third on."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from equations import additive, assert_decoder_follows, gru, lstm, update
from tiny_models import SOURCES, assert_same, model_of, padded

from s2s.model.attention import AdditiveAttention
from s2s.model.kernel_cells import GRU, LSTM


def equations_of(cell):
    def gnmt(decoder, embedded, sentence):
        state, outputs, weights = sentence.state, [], []
        for y in embedded:
            c, seen = additive(decoder.attention, state[0][0], sentence.values)
            x, after = y, []
            for number, recurrent in enumerate([decoder.recurrent, *decoder.above], start=1):
                h, layer = update(cell, recurrent, np.concatenate([x, c]), state[number - 1 : number])
                x = h + x if number >= 3 else h
                after += layer
            state = after
            outputs.append(x)
            weights.append(seen)
        return outputs, weights

    return gnmt


@pytest.mark.parametrize(("rnn", "cell"), [(LSTM, lstm), (GRU, gru)])
@pytest.mark.parametrize("layers", [1, 2, 4])
def test_a_target_is_written_as_the_paper_has_it(rnn, cell, layers):
    model = model_of("gnmt", rnn=rnn, attention=AdditiveAttention, num_layers=layers, encoder_size=10)
    assert model.decoder.num_layers == layers
    assert_decoder_follows(equations_of(cell), model)


def test_only_the_bottom_layer_is_asked_where_to_look():
    model = model_of("gnmt", num_layers=4)
    state, memory = model.start(padded(SOURCES))

    def first_look(layer):
        rnn = (state.rnn[0].clone(), *state.rnn[1:])
        rnn[0][:, layer] += 100
        return model.step(torch.tensor([4, 5, 6]), replace(state, rnn=rnn), memory).attention

    expected = model.step(torch.tensor([4, 5, 6]), state, memory).attention
    assert all(torch.equal(first_look(layer), expected) for layer in (1, 2, 3))
    assert (first_look(0) - expected).abs().max() > 1e-3


def test_units_are_dropped_between_layers_and_in_training_alone():
    whole, dropped = (model_of("gnmt", num_layers=3, dropout=dropout) for dropout in (0.0, 0.5))
    embedded = torch.randn(3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    state, memory = whole.start(padded(SOURCES))
    expected = whole.decoder.step(embedded, state, memory)
    quiet = dropped.decoder.step(embedded, state, memory)
    assert_same((quiet.output, quiet.state.rnn), (expected.output, expected.state.rnn))
    loud = dropped.decoder.train().step(embedded, state, memory)
    assert_same(tuple(part[:, 0] for part in loud.state.rnn), tuple(part[:, 0] for part in expected.state.rnn))
    assert (loud.state.rnn[0][:, 1] - expected.state.rnn[0][:, 1]).abs().max() > 1e-3
    assert (loud.output - expected.output).abs().max() > 1e-3
