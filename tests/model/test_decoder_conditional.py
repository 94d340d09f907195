"""The conditional decoder: Nematus's two transitions, and the look between them."""

import numpy as np
import pytest
import torch
from equations import additive, assert_decoder_follows, gru, lstm, update
from tiny_models import SOURCES, model_of, padded

from s2s.errors import InputError
from s2s.model.attention import AdditiveAttention, NoAttention
from s2s.model.kernel_cells import GRU, LSTM


def equations_of(cell):
    def conditional(decoder, embedded, sentence):
        state, outputs, weights = sentence.state, [], []
        for y in embedded:
            query, bottom = update(cell, decoder.first, y, state[:1])
            c, seen = additive(decoder.attention, query, sentence.values)
            s, state = update(cell, decoder.recurrent, c, [*bottom, *state[1:]])
            outputs.append(np.concatenate([s, y, c]))
            weights.append(seen)
        return outputs, weights

    return conditional


@pytest.mark.parametrize(("rnn", "cell"), [(GRU, gru), (LSTM, lstm)])
@pytest.mark.parametrize("layers", [1, 3])
def test_a_target_is_written_as_the_paper_has_it(rnn, cell, layers):
    model = model_of("conditional", rnn=rnn, attention=AdditiveAttention, num_layers=layers, encoder_size=10)
    assert_decoder_follows(equations_of(cell), model)


def test_the_two_transitions_have_weights_of_their_own():
    decoder = model_of("conditional", rnn=GRU, encoder_size=8).decoder
    assert decoder.first.weight_ih_l0.shape == (18, 4)
    assert decoder.recurrent.weight_ih_l0.shape == (18, 8)
    assert not torch.equal(decoder.first.weight_hh_l0, decoder.recurrent.weight_hh_l0)


def test_the_first_state_knows_what_was_seen_and_the_first_look_does_not():
    model = model_of("conditional", rnn=GRU)
    state, memory = model.start(padded(SOURCES))
    other = type(memory)(memory.values.flip(2), memory.keys, memory.mask)
    one, two = (model.step(torch.tensor([4, 5, 6]), state, seen) for seen in (memory, other))
    assert torch.equal(one.attention, two.attention)
    assert (one.state.rnn[0] - two.state.rnn[0]).abs().max() > 1e-3


def test_without_an_attention_it_is_refused():
    with pytest.raises(InputError, match=r"reads nothing but the context, .* none; choose another model/attention, or"):
        model_of("conditional", attention=NoAttention)
