"""The whole model: sizes that follow from each other, true tokens and the model's own, and what is refused."""

import pytest
import torch
from tiny_models import (
    DECODERS,
    SOURCES,
    TARGETS,
    UNATTENDED,
    assert_same,
    batch_of,
    model_of,
    padded,
    tiny_model,
)

from s2s.errors import InputError
from s2s.model.bridge import CopyBridge, LinearBridge, MeanBridge, ZeroBridge
from s2s.model.kernel_cells import GRU, LSTM
from s2s.model.position_attention import CoverageAttention
from s2s.model.readout import LinearReadout, MaxoutReadout, TanhReadout
from s2s.text.batching import Batch
from s2s.text.tokenizer import BOS

every_decoder = pytest.mark.parametrize("decoder", DECODERS | UNATTENDED)


def assert_learns(model):
    """Take one step of forward and backward and see that every parameter hears of it."""
    batch = batch_of([0, 1, 2])
    features, _ = model(batch)
    real = batch.target.mask
    torch.nn.functional.nll_loss(model.readout.log_probs(features[real]), batch.target.ids[real]).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name


@pytest.mark.parametrize("options", [{}, {"num_layers": 2}, {"attention": CoverageAttention}], ids=str)
@every_decoder
def test_targets_that_share_a_source_are_written_as_if_each_had_its_own(decoder, options):
    if decoder in UNATTENDED:
        options = {name: value for name, value in options.items() if name != "attention"}
    model = model_of(decoder, **options)
    source, targets = batch_of([0, 1, 2]).source, padded([TARGETS[row % 3] for row in (0, 1, 2, 2, 1, 0)])
    shared = model(Batch(source, targets, (0, 1, 2)))
    repeated = padded([SOURCES[row] for row in (0, 0, 1, 1, 2, 2)])
    assert_same(shared, model(Batch(repeated, targets, tuple(range(6)))))


@every_decoder
@pytest.mark.parametrize("bridge", [CopyBridge, LinearBridge, MeanBridge])
@pytest.mark.parametrize("readout", [LinearReadout, MaxoutReadout, TanhReadout])
def test_every_parameter_learns(decoder, bridge, readout):
    assert_learns(model_of(decoder, bridge=bridge, readout=readout, num_layers=2))


@pytest.mark.parametrize(
    "options",
    [
        {"encoder_layers": 1, "decoder_layers": 3},
        {"encoder_layers": 3, "decoder_layers": 1},
        {"encoder_layers": 2, "forward_layers": 2, "decoder_layers": 3},
        {"bidirectional": False, "reverse_source": True},
        {"encoder_size": 10},
        {"encoder_rnn": GRU},
        {"feature_size": 9},
        {"tie_readout": True},
    ],
    ids=str,
)
@every_decoder
def test_other_sizes_learn(decoder, options):
    assert_learns(model_of(decoder, **options))


def test_layers_are_counted_apart_where_they_are_set_apart():
    model = tiny_model(num_layers=3, encoder_layers=1, decoder_layers=2, bridge=CopyBridge)
    assert (model.encoder.recurrent.num_layers, model.decoder.recurrent.num_layers) == (1, 2)
    state, _ = model.start(padded(SOURCES))
    assert [part.shape for part in state.rnn] == [(3, 2, 6), (3, 2, 6)]
    assert tiny_model(num_layers=3, encoder_layers=1).decoder.recurrent.num_layers == 3


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize(("given", "width"), [(None, 6), (8, 8)])
def test_the_memory_is_as_wide_as_was_asked_in_either_case(bidirectional, given, width):
    model = tiny_model(bidirectional=bidirectional, encoder_size=given, forward_layers=1)
    _, memory = model.start(padded(SOURCES))
    assert memory.values.shape == (3, 5, width)


@every_decoder
def test_a_tied_readout_is_the_target_embedding_itself(decoder):
    model = model_of(decoder, tie_readout=True)
    assert model.readout.weight is model.embedding.weight
    assert sum(parameter is model.embedding.weight for parameter in model.parameters()) == 1


@pytest.mark.parametrize(
    ("options", "width"),
    [({}, 6), ({"tie_readout": True}, 4), ({"feature_size": 9}, 9), ({"tie_readout": True, "feature_size": 4}, 4)],
)
def test_features_are_as_wide_as_the_state_or_the_embedding_or_as_was_asked(options, width):
    for decoder in DECODERS | UNATTENDED:
        model = model_of(decoder, **options)
        assert model.readout.weight.shape == (13, width)
        assert model(batch_of([0, 1, 2]))[0].shape == (3, 6, width)


def test_shared_embeddings_are_one_object():
    model = tiny_model(source_vocabulary=13, share_embeddings=True)
    assert model.encoder.embedding is model.embedding
    apart = tiny_model(source_vocabulary=13)
    assert apart.encoder.embedding is not apart.embedding


def test_the_first_position_reads_bos_and_not_the_target():
    model = tiny_model()
    batch = batch_of([0, 1, 2])
    state, memory = model.start(batch.source)
    step = model.step(torch.tensor([BOS, BOS, BOS]), state, memory)
    assert_same(model(batch)[0][:, 0], model.readout.features(step.output))


def test_dropout_reaches_embeddings_layers_and_features_in_training_alone():
    model = tiny_model(dropout=0.4, num_layers=2, forward_layers=2)
    recurrent = (model.encoder.recurrent, model.encoder.upper, model.decoder.recurrent)
    assert [layers.dropouts.layer for layers in recurrent] == [0.4, 0.4, 0.4]
    assert [model.dropout.units.p, model.encoder.dropout.units.p, model.readout.dropout.p] == [0.4, 0.4, 0.4]
    encoder, source = tiny_model(dropout=0.4).encoder, padded(SOURCES)
    assert_same(encoder(source).values, encoder(source).values)
    assert not torch.equal(encoder.train()(source).values, encoder.eval()(source).values)


@pytest.mark.parametrize(("side", "dropping"), [("source", "encoder"), ("target", "decoder")])
def test_words_are_dropped_on_the_side_that_was_asked(side, dropping):
    model, source = tiny_model(**{f"{side}_word_dropout": 0.5}).train(), padded(SOURCES)
    differs = (model.encoder(source).values - model.encoder(source).values).abs().max() > 1e-3
    assert differs == (dropping == "encoder")
    state, memory = model.start(source)
    tokens = torch.full((3, 8), 4).flatten()
    state = state.select(torch.arange(3).repeat_interleave(8))
    outputs = model.step(tokens, state, memory).output.view(3, 8, -1)
    assert ((outputs - outputs[:, :1]).abs().max() > 1e-3) == (dropping == "decoder")
    quiet = model.eval().step(tokens, state, memory).output.view(3, 8, -1)
    assert_same(quiet, quiet[:, :1].expand_as(quiet))


def test_a_dropped_word_is_read_as_zeros():
    model, source = tiny_model(source_word_dropout=0.5).train(), padded([[4] * 12])
    torch.manual_seed(6)
    values = model.encoder(source).values
    embedded = 2.0 * model.encoder.embedding.weight[source.ids]
    torch.manual_seed(6)
    kept = model.encoder.dropout(torch.ones_like(embedded), source.ids)
    assert set(kept.unique().tolist()) == {0.0, 2.0}
    assert_same(values, model.encoder.recurrent.scan(embedded * kept)[0])


def many(rows=60, positions=20, token=12):
    """Sentences whose target is one token over and over."""
    return Batch(padded([SOURCES[0]] * rows), padded([[token] * positions] * rows), tuple(range(rows)))


def reading(model, batch, truth, seed=8):
    """Write a batch, and note what was read: features (B, T, R), tokens (B, T)."""
    tokens, step = [], model.step

    def noted(read, state, memory):
        tokens.append(read)
        return step(read, state, memory)

    torch.manual_seed(seed)
    model.step = noted
    try:
        features, _ = model(batch, truth=truth)
    finally:
        del model.step
    return features, torch.stack(tokens, dim=1)


@every_decoder
def test_at_a_truth_of_one_all_tokens_are_true_and_nothing_is_drawn(decoder):
    model, batch = model_of(decoder), batch_of([0, 1, 2])
    torch.manual_seed(8)
    before = torch.get_rng_state()
    features, attention = model(batch, truth=1.0)
    assert torch.equal(torch.get_rng_state(), before)
    assert_same((features, attention), model(batch))


@every_decoder
def test_at_a_truth_of_zero_targets_are_not_read(decoder):
    model, batch = model_of(decoder), batch_of([0, 1, 2])
    features, tokens = reading(model, batch, 0.0)
    assert (tokens[:, 0] == BOS).all()
    assert len(tokens[:, 1:].unique()) > 3
    for ids in (torch.full_like(batch.target.ids, 7), batch.target.ids.flip(0)):
        batch.target.ids.copy_(ids)
        assert torch.equal(reading(model, batch, 0.0)[0], features)
    one, other = (reading(model, wide, 0.5)[0] for wide in (many(token=4), many(token=5)))
    assert (one - other).abs().max() > 1e-3


@every_decoder
def test_a_draw_is_read_as_a_true_token_would_be_and_no_gradient_goes_through_it(decoder):
    model, batch, gradients = model_of(decoder), batch_of([0, 1, 2]), []
    features, tokens = reading(model, batch, 0.3)
    drawn = torch.cat([tokens[:, 1:], tokens[:, :1]], dim=1)
    assert not torch.equal(drawn[:, :-1], batch.target.ids[:, :-1])
    expected, _ = model(Batch(batch.source, type(batch.target)(drawn, batch.target.lengths), batch.rows))
    assert_same(features, expected)
    for written in (features, expected):
        model.zero_grad()
        written.square().sum().backward()
        gradients.append([weight.grad.clone() for weight in model.parameters() if weight.grad is not None])
    assert_same(gradients[0], gradients[1])


def test_a_draw_is_the_models_own():
    model, batch = tiny_model(), many(rows=6000, positions=2)
    model.readout.bias.data = 2 * torch.randn(13, generator=torch.Generator().manual_seed(1)).double()
    features, tokens = reading(model, batch, 0.0)
    shares = torch.bincount(tokens[:, 1], minlength=13) / 6000
    assert_same(shares.double(), model.readout.log_probs(features[0, 0]).exp().detach(), 0.03)


@pytest.mark.parametrize("truth", [0.0, 0.25, 0.9])
def test_the_share_of_true_tokens_is_the_truth_token_by_token_and_row_by_row(truth):
    model = tiny_model()
    model.readout.bias.data[12] = -1e9  # so that what reads 12 reads the truth
    true = reading(model, many(), truth)[1][:, 1:] == 12
    assert float(true.double().mean()) == pytest.approx(truth, abs=4 * (truth * (1 - truth) / true.numel()) ** 0.5)
    for dim in (0, 1):  # as coins fall, one for each token: not one for a whole row, nor one for a whole position
        variance = true.sum(dim=dim).double().var() / true.shape[dim]
        assert 0.4 * truth * (1 - truth) <= variance <= 2.2 * truth * (1 - truth)


def test_what_is_drawn_is_settled_by_the_seed():
    model, batch = tiny_model(), many()
    one, again, other = (reading(model, batch, 0.5, seed)[1] for seed in (1, 1, 2))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)


@pytest.mark.parametrize("decoder", UNATTENDED)
def test_without_attention_the_models_own_tokens_are_read_too(decoder):
    features, attention = model_of(decoder)(batch_of([0, 1, 2]), truth=0.0)
    assert (features.shape, attention.shape) == ((3, 6, 6), (3, 6, 0))


def test_teacher_forcing_without_targets_is_refused():
    with pytest.raises(InputError, match="needs targets, got a batch of sources alone; give both sides"):
        tiny_model()(Batch(padded(SOURCES), None, (0, 1, 2)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"share_embeddings": True},
            "needs one vocabulary, got 11 source and 13 target pieces; set tokenizer.joint=true",
        ),
        ({"encoder_size": 7}, "encoder_size=7 cannot be shared by two directions; give an even number or set"),
        ({"hidden_size": 5}, "encoder_size=5 cannot be shared by two directions"),
        ({"dropout": 1.0}, "model.dropout=1.0 is no probability below 1; give a number from 0 to 0.9"),
        ({"dropout": -0.1}, "model.dropout=-0.1 is no probability"),
        ({"source_word_dropout": 1.0}, "model.source_word_dropout=1.0 is no probability below 1; give a number from"),
        ({"target_word_dropout": -0.5}, "model.target_word_dropout=-0.5 is no probability"),
        ({"embedding_size": 0}, "embedding_size=0 is no width; give 1 or more"),
        ({"hidden_size": -2}, "hidden_size=-2 is no width"),
        ({"encoder_size": 0}, "encoder_size=0 is no width"),
        ({"feature_size": 0}, "feature_size=0 is no width"),
        (
            {"feature_size": 5, "tie_readout": True},
            "got model.feature_size=5 and model.embedding_size=4; make them equal or set model.tie_readout=false",
        ),
        ({"num_layers": 0}, "of 0 layers cannot be built"),
        ({"encoder_layers": 0}, "of 0 layers cannot be built"),
        ({"decoder_layers": 0}, "of 0 layers cannot be built"),
        ({"forward_layers": -1}, "of -1 layers cannot be built"),
        ({"encoder_size": 8, "bridge": CopyBridge}, "one width, got 8 and 6; use model/bridge=linear"),
    ],
)
def test_sizes_that_do_not_go_together_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        tiny_model(**options)


@pytest.mark.parametrize("layers", [0, -1])
@every_decoder
def test_a_decoder_without_a_layer_is_refused(decoder, layers):
    with pytest.raises(InputError, match=f"of {layers} layers cannot be built; set num_layers to 1 or more"):
        model_of(decoder, decoder_layers=layers)


def test_one_direction_takes_an_odd_width():
    model = tiny_model(encoder_size=7, bidirectional=False, bridge=ZeroBridge, rnn=LSTM)
    assert model(batch_of([0, 1, 2]))[0].shape == (3, max(map(len, TARGETS)), 6)
