"""What a GPU alone can show: no update waits for it, and it computes what a CPU does. Skipped where there is none."""

import json

import pytest
import torch
from updates import make_updates

from s2s.training.preparation import prepare

pytestmark = pytest.mark.gpu
MODELS = {
    "luong": ("model=luong",),
    "bahdanau": ("model=bahdanau", "model/rnn=gru", "training.coverage_loss=0.5"),
    "conditional": ("model=nematus_small",),
    "layers": ("model.num_layers=2", "model.forward_layers=1", "optimizer=adamw"),
    "scheduled sampling": ("scheduled_sampling=constant",),
    "running text": ("model=lm", "training.truncated_length=8"),
    "bfloat16": ("training.precision=bfloat16",),
}


def prepared(create_run, *options, device="cuda"):
    return prepare(create_run("training.moving_average=0.9", *options, f"device={device}"))[0]


@pytest.mark.parametrize("options", MODELS.values(), ids=MODELS)
def test_no_update_waits_for_the_gpu(create_run, options):
    trainer = prepared(create_run, *options)
    make_updates(trainer, 1)  # kernels are loaded, memory is taken
    torch.cuda.set_sync_debug_mode("error")
    try:
        made = make_updates(trainer, 3)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert all(torch.isfinite(nll) for nll, _ in made)


@pytest.mark.parametrize("options", [MODELS[name] for name in ("luong", "bahdanau", "conditional", "layers")])
def test_a_gpu_learns_what_a_cpu_does(create_run, options):
    weights = []
    for device in ("cpu", "cuda"):
        trainer = prepared(create_run, "sizes.dropout=0", "optimizer=sgd", *options[:1], device=device)
        make_updates(trainer, 3)
        weights.append(torch.cat([weight.detach().cpu().flatten() for weight in trainer.model.parameters()]))
    torch.testing.assert_close(weights[1], weights[0], rtol=1e-3, atol=1e-4)


@pytest.mark.slow
def test_a_compiled_step_learns_what_a_plain_one_does(create_run):
    weights = []
    for compiled in ("false", "true"):
        trainer = prepared(create_run, "sizes.dropout=0", "optimizer=sgd", f"training.compile={compiled}")
        make_updates(trainer, 3)
        weights.append(torch.cat([weight.detach().flatten() for weight in trainer.model.parameters()]))
    torch.testing.assert_close(weights[1], weights[0], rtol=1e-3, atol=1e-4)


def test_the_bench_reports_tokens_memory_and_the_share_of_the_peak(in_process, small_options):
    options = [option for option in small_options if option != "device=cpu"]
    counts = ("bench.repeats=1", "bench.updates=2", "bench.warm_up=2")
    code, out, said = in_process("bench", "task=train", "format=json", "device=cuda", *counts, *options)
    assert code == 0, said
    figures = json.loads(out)["figures"]
    wanted = (
        "target tokens/s",
        "peak GPU memory in MB",
        "product of 8,192-square matrices in GFLOP/s",
        "share of it in %",
    )
    assert all(figures[name]["median"] > 0 for name in wanted)
