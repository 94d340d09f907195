"""Decoders: the order of events that tells them apart, and one step that serves training and search alike."""

from functools import partial

import numpy as np
import pytest
import torch
from equations import additive, array, assert_decoder_follows, gru, lstm, update
from tiny_models import (
    CELLS,
    DECODERS,
    SCORES,
    SOURCES,
    UNATTENDED,
    WINDOWS,
    assert_same,
    batch_of,
    embedded,
    model_of,
    name_of,
    padded,
    written,
)

from s2s.model import attention as scores
from s2s.model import multihead_attention, position_attention
from s2s.model.attention import AdditiveAttention, NoAttention
from s2s.model.kernel_cells import GRU, LSTM

ALL = DECODERS | UNATTENDED
LOOK_FIRST = ["bahdanau", "gnmt"]
LOOK_LATER = ["luong", "luong without feeding", "conditional"]
CONTROLS = ["bahdanau", "gnmt", "luong", "luong without feeding", *UNATTENDED]

every_decoder = pytest.mark.parametrize("decoder", ALL)
every_score = pytest.mark.parametrize("score", SCORES, ids=name_of)
every_cell = pytest.mark.parametrize("cell", CELLS)


def started(decoder, **options):
    model = model_of(decoder, **options)
    return model.decoder, *model.start(padded(SOURCES))


def assert_the_company_does_not_matter(model):
    """A sentence is written the same alone, among others, and with more padding."""
    runs = [(batch, *model(batch)) for batch in (batch_of([0, 1, 2]), batch_of([2, 0]), batch_of([1, 0, 1, 2], 3))]
    for row in range(3):
        alone = batch_of([row])
        expected, expected_attention = model(alone)
        length, positions = alone.target.ids.shape[1], expected_attention.shape[2]
        for batch, features, attention in runs:
            for place in (place for place, other in enumerate(batch.rows) if other == row):
                assert_same(features[place, :length], expected[0], 1e-10)
                assert_same(attention[place, :length, :positions], expected_attention[0], 1e-10)
                assert (attention[place, :, positions:] == 0).all()


def test_no_attention_is_left_out_here():
    modules = (scores, position_attention, multihead_attention)
    named = {name for module in modules for name in module.__all__} - {"Attention", "Memory", "NoAttention"}
    assert {name_of(score).split()[0] for score in SCORES} == named


@pytest.mark.parametrize("layers", [1, 2])
def test_bahdanaus_target_is_written_as_the_paper_has_it(layers):
    def bahdanau(decoder, embedded, sentence):
        state, outputs, weights = sentence.state, [], []
        for y in embedded:
            c, seen = additive(decoder.attention, state[-1][0], sentence.values)
            s, state = update(gru, decoder.recurrent, np.concatenate([y, c]), state)
            outputs.append(np.concatenate([s, y, c]))
            weights.append(seen)
        return outputs, weights

    model = model_of("bahdanau", rnn=GRU, attention=AdditiveAttention, num_layers=layers, encoder_size=10)
    assert_decoder_follows(bahdanau, model)


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("decoder", ["luong", "luong without feeding"])
def test_luongs_target_is_written_as_the_paper_has_it(decoder, layers):
    def luong(module, embedded, sentence):
        state, attentional, outputs, weights = sentence.state, np.zeros(6), [], []
        for y in embedded:
            x = np.concatenate([y, attentional]) if decoder == "luong" else y
            h, state = update(lstm, module.recurrent, x, state)
            c, seen = additive(module.attention, h, sentence.values)
            attentional = np.tanh(array(module.combine.weight) @ np.concatenate([c, h]))
            outputs.append(attentional)
            weights.append(seen)
        return outputs, weights

    model = model_of(decoder, rnn=LSTM, attention=AdditiveAttention, num_layers=layers, encoder_size=10)
    assert_decoder_follows(luong, model)


@every_score
@pytest.mark.parametrize("decoder", LOOK_FIRST)
def test_who_looks_first_does_not_know_the_first_token_but_the_second(decoder, score):
    decoder, state, memory = started(decoder, attention=score)
    one, other = (decoder.step(embedded(3, seed=seed), state, memory) for seed in (1, 2))
    assert torch.equal(one.attention, other.attention)
    seconds = [decoder.step(embedded(3, seed=3), step.state, memory).attention for step in (one, other)]
    assert (seconds[0] - seconds[1])[:2].abs().max() > 1e-6


@every_score
@pytest.mark.parametrize("decoder", LOOK_LATER)
def test_who_looks_later_knows_the_first_token_at_its_first_look(decoder, score):
    decoder, state, memory = started(decoder, attention=score)
    one, other = (decoder.step(embedded(3, seed=seed), state, memory).attention for seed in (1, 2))
    assert (one - other)[:2].abs().max() > 1e-6


@every_cell
@pytest.mark.parametrize("decoder", DECODERS)
def test_the_order_of_events_is_that_of_the_decoder_whatever_its_cell(decoder, cell):
    decoder_module, state, memory = started(decoder, rnn=cell)
    one, other = (decoder_module.step(embedded(3, seed=seed), state, memory).attention for seed in (1, 2))
    assert torch.equal(one, other) == (decoder in LOOK_FIRST)


@every_score
@pytest.mark.parametrize("decoder", DECODERS)
def test_with_any_attention_teacher_forcing_is_the_steps_and_company_does_not_matter(decoder, score):
    model, batch = model_of(decoder, attention=score), batch_of([0, 1, 2])
    assert_same(model(batch), written(model, batch))
    assert_the_company_does_not_matter(model)


@pytest.mark.parametrize("window", WINDOWS, ids=name_of)
@pytest.mark.parametrize("decoder", DECODERS)
def test_with_any_window_teacher_forcing_is_the_steps_and_company_does_not_matter(decoder, window):
    model, batch = model_of(decoder, window=window), batch_of([0, 1, 2])
    assert_same(model(batch), written(model, batch))
    assert_the_company_does_not_matter(model)


@every_cell
@every_decoder
def test_with_any_cell_teacher_forcing_is_the_steps_and_company_does_not_matter(decoder, cell):
    model, batch = model_of(decoder, rnn=cell, num_layers=3), batch_of([0, 1, 2])
    assert_same(model(batch), written(model, batch))
    assert_the_company_does_not_matter(model)


@pytest.mark.parametrize("decoder", CONTROLS)
def test_without_attention_the_source_is_in_the_first_state_alone(decoder):
    model = model_of(decoder, attention=NoAttention)
    state, memory = model.start(padded(SOURCES))
    other_state, other_memory = model.start(padded([source[::-1] for source in SOURCES]))
    targets = embedded(3, 4)
    expected, attention = model.decoder(targets, state, memory)
    assert attention.shape == (3, 4, 0)
    assert torch.equal(model.decoder(targets, state, other_memory)[0], expected)
    assert (model.decoder(targets, other_state, memory)[0] - expected)[:2].abs().max() > 1e-6
    step = model.decoder.step(targets[:, 0], state, memory)
    assert step.attention.shape == (3, 0)
    assert_same(step.output, expected[:, 0])


@every_decoder
def test_a_position_knows_only_the_tokens_before_it(decoder):
    model, batch = model_of(decoder), batch_of([0])
    before, _ = model(batch)
    batch.target.ids[:, 2] = 11
    after, _ = model(batch)
    assert torch.equal(before[:, :3], after[:, :3])
    assert (before[:, 3] != after[:, 3]).any()


@every_decoder
def test_state_is_passed_and_not_kept(decoder):
    model = model_of(decoder)
    state, memory = model.start(padded(SOURCES))
    tokens = torch.tensor([4, 5, 6])
    step = model.step(tokens, state, memory)
    model(batch_of([2, 0, 1, 1]))
    other_state, other_memory = model.start(padded(SOURCES[:1]))
    model.step(tokens[:1], other_state, other_memory)
    again = model.step(tokens, state, memory)
    assert torch.equal(again.output, step.output)
    assert torch.equal(again.attention, step.attention)


def looked(decoder, layers=2):
    """A model after one position, its attention one that remembers where it looked, where it has any."""
    score = NoAttention if decoder in UNATTENDED else partial(position_attention.CoverageAttention, fertility=2.0)
    model = model_of(decoder, num_layers=layers, attention=score)
    state, memory = model.start(padded(SOURCES))
    return model, model.step(torch.tensor([4, 5, 6]), state, memory).state, memory


@every_decoder
def test_a_selected_state_goes_on_as_its_rows_would_have(decoder):
    model, state, memory = looked(decoder)
    rows, tokens = torch.tensor([2, 0, 0, 1]), torch.tensor([7, 8, 9, 10])
    step = model.step(tokens, state.select(rows), memory.select(rows))
    for index, row in enumerate(rows.tolist()):
        alone = model.step(tokens[[index]], state.select(torch.tensor([row])), memory.select(torch.tensor([row])))
        after = step.state.select(torch.tensor([index]))
        assert_same((step.output[[index]], step.attention[[index]]), (alone.output, alone.attention))
        assert_same(after.rnn, alone.state.rnn)
        assert_same((after.feed, after.attended), (alone.state.feed, alone.state.attended))


@every_decoder
def test_rows_of_a_beam_share_the_memory_of_their_sentence(decoder):
    model, state, memory = looked(decoder, layers=1)
    rows, tokens = torch.arange(3).repeat_interleave(2), torch.tensor([4, 5, 6, 7, 8, 9])
    shared = model.step(tokens, state.select(rows), memory)
    copied = model.step(tokens, state.select(rows), memory.select(rows))
    assert_same((shared.output, shared.attention), (copied.output, copied.attention))
    assert_same(shared.state.attended, copied.state.attended)


def test_decoders_say_how_wide_their_output_is_and_what_they_feed_back():
    widths = {
        "bahdanau": (6 + 4 + 8, 0),
        "luong": (6, 6),
        "luong without feeding": (6, 0),
        "conditional": (6 + 4 + 8, 0),
        "gnmt": (6, 0),
        "sutskever": (6, 0),
        "cho": (6 + 4 + 6, 6),
    }
    assert widths.keys() == ALL.keys()
    for name, (width, feed) in widths.items():
        decoder, state, memory = started(name, encoder_size=8)
        assert decoder.output_size == width == decoder.step(embedded(3), state, memory).output.shape[1]
        assert decoder.feed_size == feed == state.feed.shape[1]
        assert name == "cho" or (state.feed == 0).all()


@pytest.mark.parametrize("at_once", [1, 2, 4])
def test_a_long_target_looks_a_few_positions_at_a_time(monkeypatch, at_once):
    """And sees what it would see of all at once."""
    model, batch = model_of("luong without feeding", attention=AdditiveAttention), batch_of([0, 1, 2])
    expected = model(batch)
    looks = []
    model.decoder.attention.register_forward_hook(lambda *_: looks.append(None))
    monkeypatch.setattr("s2s.model.decoder.POSITIONS_AT_ONCE", at_once)
    assert_same(model(batch), expected)
    assert len(looks) == -(-batch.target.ids.shape[1] // at_once) > 1
