"""The whole model: every choice in conf/ builds and learns, and sizes that do not go together are refused."""

from pathlib import Path

import pytest
import torch
from tiny_models import DECODERS, SOURCES, assert_same, batch_of, padded, tiny_model

from s2s.config import CONF, build, compose
from s2s.errors import InputError
from s2s.model.bridge import CopyBridge, ZeroBridge
from s2s.model.recurrent import LSTM
from s2s.text.batching import Batch
from s2s.training.loss import smoothed_cross_entropy

MODELS = ["bahdanau", "luong"]
CHOICES = {
    "attention": {"additive", "concat", "dot", "general", "scaled_dot"},
    "bridge": {"copy", "linear", "zero"},
    "decoder": {"bahdanau", "luong"},
    "readout": {"linear", "maxout"},
    "rnn": {"gru", "lstm", "rnn"},
}
COMBINATIONS = [
    (model, f"model/{file.parent.name}={file.stem}") for model in MODELS for file in sorted(CONF.glob("model/*/*.yaml"))
]
TINY = ["sizes.embedding=4", "sizes.hidden=6", "model.dropout=0"]


def configured(*overrides):
    torch.manual_seed(17)
    model = compose("train", [*TINY, *overrides]).model
    return build(model, source_vocabulary=11, target_vocabulary=13)


def learns(model):
    """Take one step of forward and backward and see that every parameter hears of it."""
    batch = batch_of([0, 1, 2])
    features, _ = model(batch)
    real = batch.target.mask
    readout = model.readout
    loss, _ = smoothed_cross_entropy(features[real], readout.weight, readout.bias, batch.target.ids[real])
    loss.backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name


def test_the_choices_are_the_ones_we_know_of():
    assert {path.stem for path in CONF.glob("model/*.yaml")} == set(MODELS)
    files: dict[str, set[str]] = {}
    for path in Path(CONF, "model").glob("*/*"):
        files.setdefault(path.parent.name, set()).add(path.stem)
    assert files == CHOICES
    assert len(COMBINATIONS) == 30


@pytest.mark.parametrize(("model", "choice"), COMBINATIONS)
def test_every_choice_builds_and_every_parameter_learns(model, choice):
    learns(configured(f"model={model}", choice))


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    "options",
    [
        ["model.num_layers=2"],
        ["model.encoder_layers=1", "model.decoder_layers=2"],
        ["model.encoder_layers=3", "model.decoder_layers=1"],
        ["model.bidirectional=false"],
        ["model.encoder_size=10"],
        ["model.tie_readout=false"],
    ],
)
def test_other_sizes_build_and_learn(model, options):
    learns(configured(f"model={model}", *options))


def test_luong_without_input_feeding_learns():
    learns(configured("model=luong", "model.decoder.input_feeding=false"))


def test_layers_are_counted_apart_where_they_are_set_apart():
    model = tiny_model(num_layers=3, encoder_layers=1, decoder_layers=2, bridge=CopyBridge)
    assert (model.encoder.recurrent.num_layers, model.decoder.recurrent.num_layers) == (1, 2)
    state, _ = model.start(padded(SOURCES))
    assert [part.shape for part in state.rnn] == [(3, 2, 6), (3, 2, 6)]
    assert tiny_model(num_layers=3, encoder_layers=1).decoder.recurrent.num_layers == 3


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize(("given", "width"), [(None, 6), (8, 8)])
def test_the_memory_is_as_wide_as_was_asked_in_either_case(bidirectional, given, width):
    model = tiny_model(bidirectional=bidirectional, encoder_size=given)
    _, memory = model.start(padded(SOURCES))
    assert memory.values.shape == (3, 5, width)


@pytest.mark.parametrize("decoder", DECODERS)
def test_a_tied_readout_is_the_target_embedding_itself(decoder):
    model = tiny_model(**DECODERS[decoder], tie_readout=True)
    assert model.readout.weight is model.embedding.weight
    assert sum(parameter is model.embedding.weight for parameter in model.parameters()) == 1
    assert tiny_model(**DECODERS[decoder]).readout.weight.shape == (13, 6)


def test_shared_embeddings_are_one_object():
    model = tiny_model(source_vocabulary=13, share_embeddings=True)
    assert model.encoder.embedding is model.embedding
    apart = tiny_model(source_vocabulary=13)
    assert apart.encoder.embedding is not apart.embedding


def test_the_first_position_reads_bos_and_not_the_target():
    model = tiny_model()
    batch = batch_of([0, 1, 2])
    state, memory = model.start(batch.source)
    step = model.step(torch.tensor([2, 2, 2]), state, memory)
    assert_same(model(batch)[0][:, 0], model.readout.features(step.output))


def test_dropout_reaches_embeddings_layers_and_features_in_training_alone():
    model = tiny_model(dropout=0.4, num_layers=2)
    kernels = (model.encoder.recurrent.kernel, model.decoder.recurrent.kernel)
    assert [kernel.dropout for kernel in kernels] == [0.4, 0.4]
    assert [part.dropout.p for part in (model, model.encoder, model.readout)] == [0.4, 0.4, 0.4]
    encoder, source = tiny_model(dropout=0.4).encoder, padded(SOURCES)
    assert_same(encoder(source).values, encoder(source).values)
    assert not torch.equal(encoder.train()(source).values, encoder.eval()(source).values)


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
        ({"dropout": 1.0}, "dropout=1.0 is no probability below 1; give a number from 0 to 0.9"),
        ({"dropout": -0.1}, "dropout=-0.1 is no probability"),
        ({"embedding_size": 0}, "embedding_size=0 is no width; give 1 or more"),
        ({"hidden_size": -2}, "hidden_size=-2 is no width"),
        ({"encoder_size": 0}, "encoder_size=0 is no width"),
        ({"num_layers": 0}, "of 0 layers cannot be built"),
        ({"encoder_layers": 0}, "of 0 layers cannot be built"),
        ({"decoder_layers": 0}, "of 0 layers cannot be built"),
        ({"encoder_size": 8, "bridge": CopyBridge}, "one width, got 8 and 6; use model/bridge=linear"),
    ],
)
def test_sizes_that_do_not_go_together_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        tiny_model(**options)


def test_one_direction_takes_an_odd_width():
    model = tiny_model(encoder_size=7, bidirectional=False, bridge=ZeroBridge, rnn=LSTM)
    assert model(batch_of([0, 1, 2]))[0].shape == (3, 6, 6)
