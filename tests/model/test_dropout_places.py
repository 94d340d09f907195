"""Dropout in each place of a model: what it reaches, what it leaves alone, and one draw for a whole target."""

from dataclasses import replace
from functools import partial

import pytest
import torch
from omegaconf import OmegaConf
from tiny_models import (
    DECODERS,
    SOURCES,
    UNATTENDED,
    assert_same,
    batch_of,
    embedded,
    model_of,
    padded,
    tiny_model,
    written,
)

from s2s.building import build
from s2s.config import compose
from s2s.errors import InputError
from s2s.model.decoder import LuongDecoder
from s2s.model.draws import Draws, LayerDraws, WordDraws
from s2s.model.kernel_cells import GRU, LSTM
from s2s.text.batching import Batch, Sequences

EVERYWHERE = {
    "dropout": 0.3,
    "recurrent_dropout": 0.3,
    "context_dropout": 0.3,
    "source_word_dropout": 0.3,
    "target_word_dropout": 0.3,
}

every_decoder = pytest.mark.parametrize("decoder", DECODERS | UNATTENDED)


def places(model):
    """How likely a unit drops out where, in all parts of the model that have such a place."""
    stacks = (model.encoder.recurrent, model.encoder.upper, *model.decoder.stacks())
    return {
        "embedding": {model.encoder.dropout.units.p, model.dropout.units.p},
        "layer": {stack.dropouts.layer for stack in stacks},
        "recurrent": {stack.dropouts.recurrent for stack in stacks},
        "context": {model.encoder.context.p},
        "output": {model.readout.dropout.p},
    }


@every_decoder
def test_one_number_reaches_embeddings_layers_and_features(decoder):
    model = model_of(decoder, dropout=0.4, num_layers=2, forward_layers=1)
    assert places(model) == {"embedding": {0.4}, "layer": {0.4}, "recurrent": {0.0}, "context": {0.0}, "output": {0.4}}


@every_decoder
@pytest.mark.parametrize("place", ["embedding", "layer", "recurrent", "context", "output"])
def test_a_place_may_have_a_number_of_its_own_none_at_all_too(place, decoder):
    usual = places(model_of(decoder, dropout=0.4, num_layers=2, forward_layers=1))
    for own in (0.1, 0.0):
        model = model_of(decoder, dropout=0.4, num_layers=2, forward_layers=1, **{f"{place}_dropout": own})
        assert places(model) == {**usual, place: {own}}


def test_a_configuration_from_before_these_options_makes_the_same_model():
    config = compose("train", ["sizes.dropout=0.25", "sizes.hidden=8", "model.forward_layers=1"]).model
    older = OmegaConf.to_container(config, resolve=True)
    for key in ("embedding", "layer", "output", "context", "recurrent"):
        del older[f"{key}_dropout"]
    del older["variational"], older["rnn"]["weight_dropout"], older["decoder"]["feed_dropout"]
    nodes = (config, OmegaConf.create(older))
    models = [build(each, "model", source_vocabulary=9, target_vocabulary=9) for each in nodes]
    assert str(models[0]) == str(models[1])
    assert places(models[0]) == places(models[1]) == places(tiny_model(dropout=0.25, forward_layers=1))


@pytest.mark.parametrize("variational", [False, True])
def test_encoder_states_are_dropped_as_attention_reads_them_and_the_final_state_is_whole(variational):
    whole, dropping = (
        tiny_model(context_dropout=share, variational=variational, num_layers=2, reverse_source=True)
        for share in (0.0, 0.5)
    )
    source = padded([[4, 5, 6, 7, 8, 3]] * 30)
    expected, quiet = whole.encoder(source), dropping.encoder(source)
    assert_same((quiet.values, quiet.final), (expected.values, expected.final))
    torch.manual_seed(3)
    loud = dropping.train().encoder(source)
    assert_same(loud.final, expected.final)
    kept = loud.values != 0
    assert_same(loud.values, torch.where(kept, 2 * expected.values, 0.0))
    assert float(kept.double().mean()) == pytest.approx(0.5, abs=0.1)
    assert torch.equal(kept, kept[:, :1].expand_as(kept)) == variational


@pytest.mark.parametrize("variational", [False, True])
def test_what_is_fed_back_is_dropped_for_the_recurrence_and_not_for_the_readout(variational):
    model = tiny_model(decoder=partial(LuongDecoder, feed_dropout=0.5), variational=variational).train()
    fed, step = [], model.decoder.recurrent.step

    def noted(inputs, *others):
        fed.append(inputs[:, 4:])
        return step(inputs, *others)

    model.decoder.recurrent.step = noted
    torch.manual_seed(3)
    state, memory = model.start(padded([[4, 5, 3]] * 40))
    outputs, _ = model.decoder(embedded(40, 4), state, memory)
    assert (outputs != 0).all()
    left = torch.stack(fed[1:], dim=1)
    kept = left != 0
    assert_same(left, torch.where(kept, 2 * outputs[:, :-1], 0.0))
    assert float(kept.double().mean()) == pytest.approx(0.5, abs=0.1)
    assert torch.equal(kept, kept[:, :1].expand_as(kept)) == variational
    assert_same(model.eval()(batch_of([0, 1])), tiny_model()(batch_of([0, 1])))


@pytest.mark.parametrize("probability", [-0.1, 1.0])
def test_a_feed_that_would_drop_all_or_fewer_than_none_is_refused(probability):
    message = f"model.decoder.feed_dropout={probability} is no probability below 1; give a number from 0 to 0.9"
    with pytest.raises(InputError, match=message):
        tiny_model(decoder=partial(LuongDecoder, feed_dropout=probability))


# One draw for a whole target.


def variational(decoder, **options):
    """A model in training that drops the same units and words in every place at all positions of a sentence."""
    everywhere = {**EVERYWHERE, "variational": True, "num_layers": 2, **options}
    if decoder == "luong":
        return tiny_model(decoder=partial(LuongDecoder, feed_dropout=0.3), **everywhere).train()
    return model_of(decoder, **everywhere).train()


@every_decoder
def test_teacher_forcing_is_the_steps_from_one_seed_with_dropout_in_every_place(decoder):
    model, batch, runs = variational(decoder), batch_of([0, 1, 2]), []
    for write in (model, partial(written, model)):
        torch.manual_seed(31)
        runs.append(write(batch))
    assert_same(*runs)
    assert (runs[0][0] - model(batch)[0]).abs().max() > 1e-3
    assert_same(model.eval()(batch), written(model, batch))


@every_decoder
@pytest.mark.parametrize("rnn", [LSTM, GRU])
def test_tokens_of_its_own_are_written_under_the_same_draws_as_true_ones(rnn, decoder):
    """What is drawn is read back as the truth: from one seed the features are the same to 1e-12."""
    model, batch, tokens = variational(decoder, rnn=rnn), batch_of([0, 1, 2]), []
    step = model.step
    model.step = lambda read, state, memory: (tokens.append(read), step(read, state, memory))[1]
    torch.manual_seed(8)
    features, attention = model(batch, truth=0.3)
    read = torch.stack(tokens[1:] + tokens[:1], dim=1)
    assert not torch.equal(read[:, :-1], batch.target.ids[:, :-1])
    torch.manual_seed(8)
    expected = model(Batch(batch.source, Sequences(read, batch.target.lengths), batch.rows))
    assert_same((features, attention), expected)


@every_decoder
def test_whatever_is_drawn_for_a_target_stays_the_same_to_its_end(decoder):
    model = variational(decoder)
    state, memory = model.start(padded(SOURCES))
    draws = state.draws
    assert draws.words.units.shape == (3, 4)
    assert draws.words.words.shape == (3, 13)
    assert draws.output.shape == (3, 6)
    assert draws.feed is None if decoder != "luong" else draws.feed.shape == (3, 6)
    for token in (4, 5, 6):
        state = model.step(torch.full((3,), token), state, memory).state
        assert state.draws is draws
    again = model.start(padded(SOURCES))[0].draws
    assert not torch.equal(again.output, draws.output)
    assert not torch.equal(again.words.words, draws.words.words)


@every_decoder
def test_rows_of_a_state_take_what_was_drawn_for_them_along(decoder):
    model, rows = variational(decoder), torch.tensor([2, 0, 1])
    state, memory = model.start(padded(SOURCES))
    tokens = torch.tensor([4, 5, 6])
    step = model.step(tokens, state, memory)
    moved = model.step(tokens[rows], state.select(rows), memory.select(rows))
    assert_same(moved.output, step.output[rows])
    assert_same(moved.state.draws.output, step.state.draws.output[rows])


@every_decoder
def test_nothing_is_drawn_for_whole_sentences_in_use_or_by_ordinary_dropout(decoder):
    ordinary = model_of(decoder, num_layers=2, **EVERYWHERE).train()
    for model in (ordinary, variational(decoder).eval()):
        state, _ = model.start(padded(SOURCES))
        assert state.draws == Draws((LayerDraws(),) * len(model.decoder.stacks()), WordDraws())


@every_decoder
def test_every_parameter_learns_under_dropout_in_every_place(decoder):
    model = variational(decoder, rnn=partial(LSTM, weight_dropout=0.2))
    torch.manual_seed(4)
    features, _ = model(batch_of([0, 1, 2]))
    model.readout.log_probs(features).square().sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name


def test_features_of_a_target_are_dropped_by_its_own_mask():
    model = tiny_model(output_dropout=0.5, variational=True).train()
    state, memory = model.start(padded(SOURCES))
    mask = torch.zeros_like(state.draws.output)
    state = replace(state, draws=replace(state.draws, output=mask))
    outputs, _ = model.decoder(embedded(3, 5), state, memory)
    assert (model.readout.features(outputs, mask) == 0).all()
    assert (model.readout.features(outputs, mask + 1) != 0).all()


# Words of source, target and readout in one table.


@every_decoder
def test_three_tables_are_one_where_embeddings_are_shared_and_the_readout_is_tied(decoder):
    """Three-way tying (Press & Wolf 2017, section 3): one table, and the gradient of all its uses."""
    shared = {"source_vocabulary": 13, "share_embeddings": True, "tie_readout": True}
    model = model_of(decoder, **shared)
    assert model.encoder.embedding.weight is model.embedding.weight is model.readout.weight
    tables = [weight for weight in model.parameters() if weight.shape == (13, 4)]
    assert len(tables) == 1
    apart = model_of(decoder, source_vocabulary=13, tie_readout=False, feature_size=4)
    uses = [apart.encoder.embedding.weight, apart.embedding.weight, apart.readout.weight]
    apart.load_state_dict({name: model.state_dict()[name] for name in apart.state_dict()})
    gradients = []
    for each, leaves in ((model, tables), (apart, uses)):
        features, _ = each(batch_of([0, 1, 2]))
        loss = each.readout.log_probs(features).square().sum()
        gradients.append(torch.autograd.grad(loss, leaves))
    (whole,), parts = gradients
    assert all(part.any() for part in parts)
    assert_same(whole, sum(parts), 1e-10)
