"""Decoders: the order of events that tells them apart, and one step that serves training and search alike."""

import pytest
import torch
from tiny_models import CELLS, DECODERS, SCORES, SOURCES, assert_same, batch_of, padded, tiny_model

from s2s.model.decoder import BahdanauDecoder, LuongDecoder
from s2s.text.tokenizer import BOS

every_decoder = pytest.mark.parametrize("decoder", DECODERS)


def model_of(decoder, **options):
    return tiny_model(**DECODERS[decoder], **options)


def started(decoder, **options):
    model = model_of(decoder, **options)
    return model.decoder, *model.start(padded(SOURCES))


def embedded(*shape, seed=1):
    return torch.randn(*shape, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def written(model, batch):
    """Write targets one step at a time, the state passed from hand to hand."""
    state, memory = model.start(batch.source)
    tokens, features, attention = torch.full_like(batch.target.lengths, BOS), [], []
    for position in batch.target.ids.unbind(dim=1):
        step = model.step(tokens, state, memory)
        features.append(model.readout.features(step.output))
        attention.append(step.attention)
        tokens, state = position, step.state
    return torch.stack(features, dim=1), torch.stack(attention, dim=1)


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("cell", CELLS)
def test_bahdanaus_first_look_does_not_depend_on_the_first_token_but_the_second_does(score, cell):
    decoder, state, memory = started("bahdanau", attention=score, rnn=cell)
    one, other = (decoder.step(embedded(3, seed=seed), state, memory) for seed in (1, 2))
    assert torch.equal(one.attention, other.attention)
    seconds = [decoder.step(embedded(3, seed=3), step.state, memory).attention for step in (one, other)]
    assert (seconds[0] - seconds[1])[:2].abs().max() > 1e-6


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("decoder", ["luong", "luong without feeding"])
def test_luongs_first_look_depends_on_the_first_token(score, cell, decoder):
    decoder, state, memory = started(decoder, attention=score, rnn=cell)
    one, other = (decoder.step(embedded(3, seed=seed), state, memory).attention for seed in (1, 2))
    assert (one - other)[:2].abs().max() > 1e-6


def test_a_bahdanau_step_looks_with_the_previous_state_and_gives_state_token_and_context():
    decoder, state, memory = started("bahdanau", num_layers=2)
    token = embedded(3)
    context, weights = decoder.attention(state.rnn[0][:, -1], memory)
    hidden, rnn = decoder.recurrent.step(torch.cat([token, context], dim=1), state.rnn)
    step = decoder.step(token, state, memory)
    assert_same(
        (step.output, step.attention, step.state.rnn), (torch.cat([hidden, token, context], dim=1), weights, rnn)
    )


def test_a_luong_step_looks_with_the_new_state_and_feeds_its_output_back():
    decoder, state, memory = started("luong", num_layers=2)
    state = type(state)(state.rnn, embedded(3, seed=4).repeat(1, 2)[:, :6])
    token = embedded(3)
    hidden, rnn = decoder.recurrent.step(torch.cat([token, state.feed], dim=1), state.rnn)
    context, weights = decoder.attention(hidden, memory)
    attentional = torch.tanh(torch.cat([context, hidden], dim=1) @ decoder.combine.weight.t())
    step = decoder.step(token, state, memory)
    assert_same((step.output, step.attention, step.state.rnn), (attentional, weights, rnn))
    assert torch.equal(step.state.feed, step.output)


@every_decoder
@pytest.mark.parametrize("layers", [1, 2])
def test_teacher_forcing_is_the_steps_one_after_another(decoder, layers):
    model = model_of(decoder, num_layers=layers)
    batch = batch_of([0, 1, 2])
    assert_same(model(batch), written(model, batch))


@every_decoder
def test_a_position_knows_only_the_tokens_before_it(decoder):
    model, batch = model_of(decoder), batch_of([0])
    before, _ = model(batch)
    batch.target.ids[:, 2] = 11
    after, _ = model(batch)
    assert torch.equal(before[:, :3], after[:, :3])
    assert (before[:, 3] != after[:, 3]).any()


@every_decoder
def test_only_input_feeding_tells_a_decoder_what_it_looked_at(decoder):
    _, state, _ = started(decoder)
    assert state.feed.shape == (3, 6 if decoder == "luong" else 0)
    assert (state.feed == 0).all()


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


@every_decoder
def test_a_selected_state_goes_on_as_its_rows_would_have(decoder):
    model = model_of(decoder, num_layers=2)
    state, memory = model.start(padded(SOURCES))
    state = model.step(torch.tensor([4, 5, 6]), state, memory).state
    rows, tokens = torch.tensor([2, 0, 0, 1]), torch.tensor([7, 8, 9, 10])
    step = model.step(tokens, state.select(rows), memory.select(rows))
    for index, row in enumerate(rows.tolist()):
        alone = model.step(tokens[[index]], state.select(torch.tensor([row])), memory.select(torch.tensor([row])))
        assert_same(step.output[[index]], alone.output)
        assert_same(step.attention[[index]], alone.attention)
        assert_same(step.state.select(torch.tensor([index])).rnn, alone.state.rnn)


@every_decoder
def test_rows_of_a_beam_share_the_memory_of_their_sentence(decoder):
    model = model_of(decoder)
    state, memory = model.start(padded(SOURCES))
    rows, tokens = torch.arange(3).repeat_interleave(2), torch.tensor([4, 5, 6, 7, 8, 9])
    shared = model.step(tokens, state.select(rows), memory)
    copied = model.step(tokens, state.select(rows), memory.select(rows))
    assert_same((shared.output, shared.attention), (copied.output, copied.attention))


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("score", SCORES)
@every_decoder
def test_a_sentence_alone_in_company_and_with_more_padding_is_the_same(decoder, score, cell):
    model = model_of(decoder, attention=score, rnn=cell)
    runs = [(batch, *model(batch)) for batch in (batch_of([0, 1, 2]), batch_of([2, 0]), batch_of([1, 0, 1, 2], 3))]
    for row in range(3):
        alone = batch_of([row])
        expected, expected_attention = model(alone)
        length, positions = alone.target.ids.shape[1], alone.source.ids.shape[1]
        for batch, features, attention in runs:
            for place in (place for place, other in enumerate(batch.rows) if other == row):
                assert_same(features[place, :length], expected[0], 1e-10)
                assert_same(attention[place, :length, :positions], expected_attention[0], 1e-10)
                assert (attention[place, :, positions:] == 0).all()


def test_decoders_say_how_wide_their_output_is():
    for decoder, kind, width in (("bahdanau", BahdanauDecoder, 6 + 4 + 6), ("luong", LuongDecoder, 6)):
        part, state, memory = started(decoder)
        assert isinstance(part, kind)
        assert part.output_size == width == part.step(embedded(3), state, memory).output.shape[1]
