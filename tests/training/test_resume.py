"""A run that was stopped and continued is the run that was never stopped."""

import functools
import signal
from dataclasses import dataclass, replace

import pytest
import torch

from s2s.errors import InputError
from s2s.run import Run
from s2s.train import prepare
from s2s.training import trainer as trainer_module
from s2s.training.schedule import Linear, Schedule

TIMES = {"seconds", "tokens_per_second"}


@dataclass(frozen=True, kw_only=True)
class PressesCtrlC(Schedule):
    """Another schedule, and Ctrl-C while update number ``at`` is made."""

    at: int
    inner: Schedule

    def factor(self, **progress):
        if progress["updates"] == self.at - 1:
            signal.raise_signal(signal.SIGINT)
        return self.inner.factor(**progress)

    def after_warmup(self, **progress):
        raise AssertionError("factor is overridden")


def interrupted(run, at, epoch=None):
    """Train to a Ctrl-C."""
    trainer = prepared(run, epoch)
    trainer.schedule = PressesCtrlC(at=at, inner=trainer.schedule)
    assert not trainer.train()
    assert trainer.state.updates == at
    return trainer


def prepared(run, epoch=None):
    """The run's trainer, with another source of epochs where one is given."""
    trainer, _ = prepare(run)
    if epoch is not None:
        trainer.data = replace(trainer.data, epoch=epoch)
    return trainer


def records(run):
    return [{key: value for key, value in record.items() if key not in TIMES} for record in run.records()]


def checkpoints(run):
    return {updates: path.read_bytes() for updates, path in run.kept_checkpoints().items()}


CASES = {
    "adam with dropout, in the middle of an epoch": ([], 3),
    "in the middle of a later epoch": ([], 7),
    "where a validation was due": (["training.validate_every=3", "training.criterion=bleu"], 6),
    "at the last update": ([], 8),
    "with a moving average of the weights": (["training.moving_average=0.9"], 3),
    "with accumulated batches": (["training.accumulation=2"], 5),
    "with a plateau and momentum": (["scheduler=plateau", "optimizer=sgd", "optimizer.momentum=0.9"], 7),
    "with sampled segmentations": (["tokenizer=bpe", "tokenizer.vocabulary_size=40", "tokenizer.sampling=0.3"], 3),
    "with scheduled sampling": (["scheduled_sampling=inverse_sigmoid", "scheduled_sampling.k=2"], 5),
    "with a coverage loss": (["training.coverage_loss=1"], 3),
    "with minimum risk": (["minimum_risk=bleu", "minimum_risk.samples=2", "minimum_risk.weight=0.5"], 4),
    "with checkpoints kept": (["training.keep_checkpoints=2", "training.validate_every=2"], 7),
    "with several layers, as Bahdanau": (["model=bahdanau", "model.num_layers=2", "training.batch_tokens=128"], 5),
}


@pytest.mark.parametrize(("overrides", "at"), CASES.values(), ids=CASES)
def test_stopping_and_going_on_changes_nothing(create_run, same, monkeypatch, overrides, at):
    monkeypatch.setattr(trainer_module, "UPDATES_PER_RECORD", 4)
    overrides = ["training.steps=8", "training.validate_every=3", *overrides]
    straight = create_run(*overrides)
    whole = prepared(straight)
    # SentencePiece promises no segmentation twice: both runs read the same draws, epoch by epoch
    epoch = functools.cache(whole.data.epoch)
    whole.data = replace(whole.data, epoch=epoch)
    assert whole.train()

    stopped = create_run(*overrides)
    interrupted(stopped, at, epoch)
    torch.manual_seed(99)
    continued = prepared(stopped, epoch)
    assert continued.state.updates == at
    assert continued.train()

    assert same(whole.model.state_dict(), continued.model.state_dict())
    assert same(whole.optimizer.state_dict(), continued.optimizer.state_dict())
    assert straight.weights.read_bytes() == stopped.weights.read_bytes()
    assert checkpoints(straight) == checkpoints(stopped)
    assert records(straight) == records(stopped)
    assert whole.state.scores == continued.state.scores
    assert len(whole.state.scores) >= 2


def test_sampled_segmentations_differ_between_epochs_and_the_training_rows_do_not(create_run):
    trainer, _ = prepare(create_run("tokenizer=bpe", "tokenizer.vocabulary_size=40", "tokenizer.sampling=0.3"))
    first, second = trainer.data.epoch(0), trainer.data.epoch(1)
    assert len(first) == len(second) == 60
    assert first.source.values.tolist() != second.source.values.tolist()
    texts = [
        [trainer.data.source.decode(ids[row].tolist()) for row in range(60)] for ids in (first.source, second.source)
    ]
    assert texts[0] == texts[1]


def test_a_finished_run_goes_on_to_a_later_end(create_run):
    run = create_run("training.steps=2")
    trainer, _ = prepare(run)
    trainer.train()
    run.config.training.steps = 5
    trainer, _ = prepare(run)
    assert trainer.train()
    assert trainer.state.updates == 5


def test_a_finished_run_makes_no_more_updates(create_run, same):
    run = create_run("training.steps=2")
    trainer, _ = prepare(run)
    trainer.train()
    again, _ = prepare(run)
    assert again.train()
    assert same(again.model.state_dict(), trainer.model.state_dict())
    assert len(records(run)) == 1


def test_larger_batches_than_before_do_not_hang_a_resumed_epoch(create_run):
    run = create_run("training.epochs=2")
    interrupted(run, at=4)
    run.config.training.batch_tokens = 100_000
    trainer, _ = prepare(run)
    assert trainer.train()
    assert trainer.state.epoch == 2


def test_metrics_after_the_resumed_point_are_dropped(create_run):
    run = create_run("training.steps=6", "training.validate_every=2")
    interrupted(run, at=3)
    run.log({"split": "train", "updates": 3, "kept": True})
    run.log({"split": "train", "updates": 4, "kept": False})
    trainer, _ = prepare(run)
    assert [record["updates"] for record in run.records()] == [2, 3]
    trainer.train()
    assert [record["updates"] for record in run.records()] == [2, 3, 4, 6]


def test_checkpoints_after_the_resumed_point_are_removed(create_run):
    run = create_run("training.steps=6", "training.validate_every=2", "training.keep_checkpoints=3")
    trainer = interrupted(run, at=3)
    run.keep_checkpoint(trainer.model, 4, most=3)
    assert sorted(run.kept_checkpoints()) == [2, 4]
    prepare(run)
    assert sorted(run.kept_checkpoints()) == [2]


def damaged_run(create_run, damage):
    run = create_run("training.steps=1")
    prepare(run)[0].train()
    run.training_state.write_bytes(damage(run.training_state.read_bytes()))
    return run


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[: len(content) // 2],
        lambda content: content[:10],
        lambda content: b"",
        lambda content: b"no state at all\n",
    ],
    ids=["half", "a few bytes", "empty", "text"],
)
def test_a_damaged_state_is_refused(create_run, damage):
    with pytest.raises(
        InputError, match=r"training\.pt does not continue this run .*; copy it again or train a new run"
    ):
        prepare(damaged_run(create_run, damage))


def test_a_state_that_would_run_code_is_refused(create_run, tmp_path):
    class Payload:
        def __reduce__(self):
            return (open, (str(tmp_path / "proof"), "w"))

    run = damaged_run(create_run, lambda content: content)
    torch.save({"state": Payload()}, run.training_state)
    with pytest.raises(InputError, match="does not continue this run"):
        prepare(run)
    assert not (tmp_path / "proof").exists()


def test_the_state_of_another_model_is_refused(create_run):
    small, large = (create_run("training.steps=1", f"sizes.hidden={size}") for size in (8, 24))
    for run in (small, large):
        prepare(run)[0].train()
    small.training_state.write_bytes(large.training_state.read_bytes())
    with pytest.raises(InputError, match=r"does not continue this run .*size mismatch"):
        prepare(Run(small.folder))


def test_going_on_from_nothing_is_refused(create_run):
    trainer, _ = prepare(create_run())
    with pytest.raises(InputError, match=r"training\.pt is missing.*train a new one"):
        trainer.resume()


def test_the_schedule_used_here_is_the_run_s_own(create_run):
    trainer, _ = prepare(create_run())
    assert isinstance(trainer.schedule, Linear)
