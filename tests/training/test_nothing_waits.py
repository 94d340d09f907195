"""An update asks the device for nothing, so that the program runs ahead of a GPU and never waits for it."""

import sys

import pytest
import torch
from accelerate import Accelerator
from unasked import nothing_asked
from updates import make_updates

from s2s.errors import InputError
from s2s.run import Run
from s2s.training import preparation
from s2s.training.preparation import prepare

META = torch.device("meta")
SHORT = ("tokenizer=word", "training.batch_sentences=8", "sizes.embedding=8", "sizes.hidden=8")
MODELS = {
    **{name: [f"model={name}"] for name in ("luong", "bahdanau", "gnmt_small", "nematus_small", "sutskever", "cho")},
    **{name: [f"model={name}"] for name in ("luong_local_p", "lm")},
    "running text": ["model=lm", "training.truncated_length=4"],
    "no input feeding": ["model.decoder.input_feeding=false"],
    "local-m": ["model/window=local_m", "model.window.width=2"],
    **{f"attention {name}": [f"model/attention={name}"] for name in ("location", "location_sensitive", "coverage")},
    **{f"attention {name}": [f"model/attention={name}"] for name in ("dot", "concat", "additive_normalised")},
    "attention multihead": ["model/attention=multihead", "model.attention.heads=2"],
    **{f"cell {name}": [f"model/rnn={name}"] for name in ("gru", "rnn", "lstm_reference", "gru_cho")},
    **{f"cell {name}": [f"model/rnn={name}"] for name in ("lstm_layernorm", "gru_deep")},
    **{f"bridge {name}": [f"model/bridge={name}"] for name in ("copy", "mean", "zero")},
    **{f"readout {name}": [f"model/readout={name}"] for name in ("maxout", "tanh")},
    "layers": ["model.num_layers=2", "model.forward_layers=1"],
    "backwards": ["model.reverse_source=true"],
    "variational dropout": ["model.variational=true", "model.recurrent_dropout=0.2", "model.target_word_dropout=0.1"],
    "recurrent dropout": ["model.recurrent_dropout=0.2", "model.source_word_dropout=0.1"],
    "weight dropout": ["model.rnn.weight_dropout=0.2"],
    "scheduled sampling": ["scheduled_sampling=constant"],
    "coverage loss": ["training.coverage_loss=1", "training.label_smoothing=0"],
    "accumulation": ["training.accumulation=2", "training.clip_norm=null"],
    "AdamW, no average": ["optimizer=adamw", "training.moving_average=null"],
}


@pytest.fixture
def on_meta(create_run, monkeypatch):
    """Make a trainer whose model is on a device without numbers."""
    build_model = Run.build_model
    monkeypatch.setattr(Run, "build_model", lambda run: build_model(run).to(META))
    monkeypatch.setattr(preparation, "pick_device", lambda name: META)
    monkeypatch.setattr(Accelerator, "device", META)
    optimizer = sys.modules["torch.optim.optimizer"]
    monkeypatch.setattr(optimizer, "_get_fused_kernels_supported_devices", lambda: ["meta"])
    return lambda *options: prepare(create_run("training.moving_average=0.9", *SHORT, *options))[0]


@pytest.mark.parametrize("options", MODELS.values(), ids=MODELS)
def test_an_update_reads_nothing_from_the_device(on_meta, options):
    trainer = on_meta(*options)
    with nothing_asked():
        made = make_updates(trainer, 2)
    assert made
    assert all({nll.device, tokens.device} == {META} for nll, tokens in made)
    assert all(weight.device == META for weight in trainer.model.parameters())


def test_the_step_is_compiled_where_it_is_asked_for(on_meta, monkeypatch):
    monkeypatch.setattr(torch, "compile", lambda step, *, dynamic: step)
    assert on_meta("training.compile=true").model.decoder.compiled
    assert not on_meta().model.decoder.compiled


def test_a_cpu_compiles_no_step(create_run):
    with pytest.raises(InputError, match="compile=true is for a GPU, got device=cpu; leave it out"):
        prepare(create_run("training.compile=true"))


@pytest.mark.parametrize(
    ("precision", "products"),
    [("auto", torch.float32), ("float32", torch.float32), ("bfloat16", torch.bfloat16)],
)
def test_the_trainer_says_what_a_gpu_multiplies(on_meta, precision, products):
    assert on_meta(f"training.precision={precision}").products == products


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (lambda x: x.sum().item(), "item"),
        (lambda x: float(x.sum()), "item"),
        (lambda x: bool((x > 0).all()), "item"),
        (lambda x: x.tolist(), "meta"),
        (lambda x: x.cpu(), "meta"),
        (lambda x: x[x > 0], "nonzero"),
        (lambda x: x.masked_select(x > 0), "masked_select|meta"),
        (lambda x: x.nonzero(), "nonzero"),
        (lambda x: x[[0, 1]], "a list as an index"),
        (lambda x: x[torch.tensor([0, 1])], "index.* is given a tensor of the CPU"),
        (lambda x: torch.tensor([1.0, 2.0], device=x.device), "tensor copies numbers"),
        (lambda x: torch.ones(2).to(x.device), "copies to the device and waits"),
        (lambda x: x.copy_(torch.ones(2, 2)), "copies to the device and waits"),
        (lambda x: x.multinomial(1), "multinomial asks"),
    ],
)
def test_whatever_waits_for_the_device_is_an_error(asked, said):
    with nothing_asked(), pytest.raises((AssertionError, RuntimeError, NotImplementedError), match=said):
        asked(torch.ones(2, 2, device=META))


def test_what_does_not_wait_is_none():
    with nothing_asked():
        x = torch.ones(2, 2, device=META)
        x.copy_(torch.ones(2, 2), non_blocking=True)
        (x * 2 + torch.tensor(1.0))[:, torch.ones(2).long().to(META, non_blocking=True)].masked_fill_(x > 0, 1).sum()
