"""Decoders that look at nothing: their papers' equations, and no way for the source but the one they have."""

import numpy as np
import pytest
import torch
from equations import array, assert_decoder_follows, gru, lstm, update
from tiny_models import SCORES, SOURCES, UNATTENDED, model_of, name_of, padded

from s2s.errors import InputError
from s2s.model.kernel_cells import GRU, LSTM

every_cell = pytest.mark.parametrize(("rnn", "cell"), [(LSTM, lstm), (GRU, gru)])
every_depth = pytest.mark.parametrize("layers", [1, 2])


@every_cell
@every_depth
def test_sutskevers_target_is_written_as_the_paper_has_it(rnn, cell, layers):
    def sutskever(decoder, embedded, sentence):
        state, outputs = sentence.state, []
        for y in embedded:
            h, state = update(cell, decoder.recurrent, y, state)
            outputs.append(h)
        return outputs, np.zeros((len(embedded), 0))

    assert_decoder_follows(sutskever, model_of("sutskever", rnn=rnn, num_layers=layers))


@every_cell
@every_depth
def test_chos_target_is_written_as_the_paper_has_it(rnn, cell, layers):
    def cho(decoder, embedded, sentence):
        state, outputs = sentence.state, []
        c = np.tanh(array(decoder.summary.weight) @ sentence.final + array(decoder.summary.bias))
        for y in embedded:
            h, state = update(cell, decoder.recurrent, np.concatenate([y, c]), state)
            outputs.append(np.concatenate([h, y, c]))
        return outputs, np.zeros((len(embedded), 0))

    assert_decoder_follows(cho, model_of("cho", rnn=rnn, num_layers=layers, encoder_size=10))


@pytest.mark.parametrize("score", SCORES, ids=name_of)
@pytest.mark.parametrize("decoder", UNATTENDED)
def test_any_attention_is_refused(decoder, score):
    name = name_of(score).split()[0]
    with pytest.raises(
        InputError, match=f"the {decoder} decoder looks at nothing, .* {name}; use model/attention=none"
    ):
        model_of(decoder, attention=score)


@pytest.mark.parametrize("decoder", UNATTENDED)
def test_no_word_of_the_source_is_in_the_memory(decoder):
    state, memory = model_of(decoder).start(padded(SOURCES))
    assert memory.values.numel() == memory.keys.numel() == 0
    assert state.feed.shape == (3, 6 if decoder == "cho" else 0)


def test_chos_summary_goes_from_position_to_position_unchanged():
    model = model_of("cho")
    state, memory = model.start(padded(SOURCES))
    after = model.step(torch.tensor([4, 5, 6]), state, memory).state
    assert torch.equal(after.feed, state.feed)
    assert (state.feed != 0).all()
