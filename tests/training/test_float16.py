"""In float16 the loss is scaled, gradients are scaled back before they are clipped, and an overflow is skipped."""

import pytest
import torch
from accelerate.state import AcceleratorState

from s2s.errors import InputError
from s2s.run import Run
from s2s.train import prepare
from s2s.training import trainer as trainer_module
from s2s.training.acceleration import make_accelerator

PLAIN = ("optimizer=sgd", "optimizer.lr=1", "scheduler=constant", "sizes.dropout=0", "training.batch_tokens=100000")


@pytest.fixture
def scaled(monkeypatch):
    """Let trainers compute in float16 on a CPU, their loss scaled from this scale on, as Accelerate does on a GPU."""

    def scale(start):
        def on_a_cpu(*given):
            accelerator = make_accelerator(*given)
            AcceleratorState._shared_state["_mixed_precision"] = "fp16"
            accelerator.native_amp = True
            accelerator.scaler = torch.amp.GradScaler("cpu", init_scale=start)
            return accelerator

        monkeypatch.setattr(trainer_module, "make_accelerator", on_a_cpu)

    return scale


def made(run):
    return prepare(run)[0]


def weights(trainer):
    return torch.cat([weight.detach().flatten() for weight in trainer.model.parameters()])


def perplexities(run):
    return [record["perplexity"] for record in run.records() if record["split"] == "valid"]


@pytest.mark.parametrize("clip_norm", ["0.01", "null"])
def test_what_is_clipped_are_gradients_without_the_scale(create_run, scaled, clip_norm):
    options = (*PLAIN, "training.steps=1", f"training.clip_norm={clip_norm}")
    plain = made(create_run(*options))
    begun = weights(plain).clone()
    assert plain.train()
    scaled(2.0**10)
    trainer = made(create_run(*options))
    assert trainer.train()
    step, expected = weights(trainer) - begun, weights(plain) - begun
    assert (step - expected).norm() < 0.01 * expected.norm()
    assert step.norm() == pytest.approx(0.01, rel=1e-3) or clip_norm == "null"


def test_an_overflow_is_skipped_and_counted_and_lowers_the_scale(create_run, scaled, capsys):
    scaled(2.0**127)
    run = create_run(*PLAIN, "training.steps=3", "training.moving_average=0.5")
    trainer = made(run)
    before = weights(trainer).clone()
    assert trainer.train()
    assert torch.equal(weights(trainer), before)
    assert trainer.state.skipped == 3
    assert trainer.accelerator.scaler.get_scale() == 2.0**124
    said = capsys.readouterr().err
    assert "update 3: loss or gradients are not finite; it is skipped" in said


def test_training_goes_on_once_the_scale_is_low_enough(create_run, scaled):
    scaled(2.0**20)
    trainer = made(create_run(*PLAIN, "training.steps=12"))
    before = weights(trainer).clone()
    assert trainer.train()
    assert 0 < trainer.state.skipped < 10
    assert not torch.equal(weights(trainer), before)


def test_a_run_that_goes_on_has_the_scale_it_had(create_run, scaled):
    scaled(2.0**127)
    run = create_run(*PLAIN, "training.steps=3")
    assert made(run).train()
    run.config.training.steps = 4
    run.save_config()
    trainer = made(Run(run.folder))
    assert trainer.accelerator.scaler.get_scale() == 2.0**124


def test_a_run_without_a_scale_goes_on_with_one(create_run, scaled):
    run = create_run(*PLAIN, "training.steps=1")
    assert made(run).train()
    scaled(4.0)
    for steps in (2, 3):
        run.config.training.steps = steps
        run.save_config()
        trainer = made(Run(run.folder))
        assert trainer.accelerator.scaler.get_scale() == 4
        assert trainer.train()


@pytest.mark.parametrize("model", ["luong", "bahdanau"])
def test_it_learns_in_16_bits_as_in_32(create_run, scaled, model):
    options = (f"model={model}", "training.steps=8", "training.moving_average=null")
    plain = create_run(*options)
    assert made(plain).train()
    scaled(2.0**16)
    run = create_run(*options)
    trainer = made(run)
    assert trainer.train()
    assert all(weight.dtype == torch.float32 for weight in trainer.model.parameters())
    assert perplexities(run) == pytest.approx(perplexities(plain), rel=1e-3)
    assert perplexities(run) != perplexities(plain)


def test_a_cpu_is_told_that_it_takes_a_gpu(create_run):
    with pytest.raises(InputError, match=r"training.precision=float16 needs a GPU; on a CPU take bfloat16, or auto"):
        made(create_run("training.precision=float16"))


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["float16", "bfloat16"])
def test_on_a_gpu_training_in_16_bits_goes_nearly_the_same_way(create_run, precision):
    options = ("training.steps=8", "sizes.dropout=0", "device=cuda", "training.moving_average=null")
    runs = [create_run(*options, f"training.precision={name}") for name in ("float32", precision)]
    for run in runs:
        assert made(run).train()
    plain, narrow = map(perplexities, runs)
    assert narrow == pytest.approx(plain, rel=0.01)
