"""A GPU is not waited for to know whether an update is to be skipped; what comes of it is what waiting would give."""

import pytest
import torch
from torch import nn

from s2s.errors import InputError
from s2s.training import trainer as trainer_module
from s2s.training.average import MovingAverage
from s2s.training.guard import Guard
from s2s.training.mishaps import MOST_SKIPPED
from s2s.training.preparation import prepare

CPU, GPU = torch.device("cpu"), torch.device("cuda")
SPOILT = {2, 3, 9, 14}


class Prepared:
    """An optimizer as Accelerate wraps it."""

    def __init__(self, optimizer):
        self.optimizer = optimizer

    def step(self):
        self.optimizer.step()


def spoiling(trainer, spoilt):
    """Let the loss of some updates be no number."""
    objective = trainer.objective

    def objective_with_faults(model, batch, **options):
        loss, nll, carried = objective(model, batch, **options)
        return loss * (float("nan") if trainer.state.updates + 1 in spoilt else 1), nll, carried

    trainer.objective = objective_with_faults
    return trainer


def trained(run, *, defers):
    trainer = spoiling(prepare(run)[0], SPOILT)
    trainer.guard.defers = defers
    assert trainer.train()
    weights = torch.cat([weight.detach().flatten() for weight in trainer.model.parameters()])
    averages = torch.cat([average.flatten() for average in trainer.average.averages])
    return trainer.state, weights, averages


@pytest.mark.parametrize("optimizer", ["adam", "adamw"])
@pytest.mark.parametrize("model", [(), ("model=lm", "training.truncated_length=8")], ids=["translator", "running text"])
def test_updates_that_are_skipped_unseen_are_those_that_are_skipped_seen(
    create_run, monkeypatch, capsys, optimizer, model
):
    monkeypatch.setattr(trainer_module, "UPDATES_PER_RECORD", 4)
    options = (
        "training.steps=16",
        "training.validate_every=16",
        f"optimizer={optimizer}",
        "training.moving_average=0.9",
        *model,
    )
    runs = [create_run(*options) for _ in range(2)]
    (seen, *expected), (unseen, *actual) = (
        trained(run, defers=defers) for run, defers in zip(runs, (False, True), strict=True)
    )
    for one, other in zip(actual, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-7)
    assert (unseen.skipped, unseen.skipped_in_a_row) == (seen.skipped, seen.skipped_in_a_row) == (len(SPOILT), 0)
    said = [line for line in capsys.readouterr().err.splitlines() if "it is skipped" in line]
    assert said == [f"update {n}: loss or gradients are not finite; it is skipped" for n in sorted(SPOILT)] * 2
    exact, read = ([record for record in run.records() if record["split"] == "train"] for run in runs)
    assert [record["skipped"] for record in read] == [record["skipped"] for record in exact] == [2, 2, 3, 4]
    assert [record["loss"] for record in read] == pytest.approx([record["loss"] for record in exact], rel=1e-6)


def test_a_run_of_them_ends_training_when_they_are_read(create_run):
    trainer = spoiling(prepare(create_run("training.steps=100", "training.validate_every=100"))[0], range(3, 100))
    trainer.guard.defers = True
    with pytest.raises(InputError, match=r"no longer finite at update 20: 18 updates in a row were skipped"):
        trainer.train()


def one_weight(optimizer, average=None, device=GPU):
    weight = nn.Parameter(torch.ones(1))
    weight.grad = torch.ones(1)
    made = optimizer([weight])
    return weight, Guard(
        Prepared(made), MovingAverage(nn.ParameterList([weight]), 0.5) if average else None, None, device
    )


def test_a_gpu_with_a_fused_optimizer_is_not_waited_for_and_nothing_else_defers():
    fused, plain = (lambda weights: torch.optim.Adam(weights, fused=True)), torch.optim.SGD
    assert one_weight(fused)[1].defers
    assert not one_weight(plain)[1].defers
    assert not one_weight(fused, device=CPU)[1].defers


def test_an_optimizer_that_heeds_no_flag_is_asked_each_time():
    weight, guard = one_weight(lambda weights: torch.optim.SGD(weights, lr=0.5))
    guard.step(1, torch.tensor(False))
    assert weight.item() == 1
    guard.step(2, torch.tensor(True))
    assert weight.item() == 0.5
    assert guard.is_due
    assert guard.read() == [(1, False), (2, True)]


def test_flags_are_read_together_and_once():
    _, guard = one_weight(lambda weights: torch.optim.Adam(weights, fused=True), average=True)
    for number in range(1, MOST_SKIPPED + 1):
        assert not guard.is_due
        guard.step(number, torch.tensor(number % 2 == 0))
    assert guard.is_due
    assert guard.read() == [(number, number % 2 == 0) for number in range(1, MOST_SKIPPED + 1)]
    assert guard.read() == []
