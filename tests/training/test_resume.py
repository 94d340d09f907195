"""A run that was stopped and continued is the run that was never stopped."""

import errno
import io
import itertools
import os
import signal
from dataclasses import dataclass

import pytest
import torch

from s2s.errors import InputError
from s2s.run import Run
from s2s.storage import checksum
from s2s.train import prepare
from s2s.training import trainer as trainer_module
from s2s.training.resume import saved_states
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


def interrupted(run, at):
    """Train to a Ctrl-C."""
    trainer, _ = prepare(run)
    trainer.schedule = PressesCtrlC(at=at, inner=trainer.schedule)
    assert not trainer.train()
    assert trainer.state.updates == at
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
    "with BPE-dropout": (["tokenizer=bpe", "tokenizer.vocabulary_size=40", "tokenizer.sampling=0.3"], 3),
    "with unigram sampling": (["tokenizer=unigram", "tokenizer.vocabulary_size=40", "tokenizer.sampling=0.3"], 7),
    "with scheduled sampling": (["scheduled_sampling=inverse_sigmoid", "scheduled_sampling.k=2"], 5),
    "with a coverage loss": (["training.coverage_loss=1"], 3),
    "with minimum risk": (["minimum_risk=bleu", "minimum_risk.samples=2", "minimum_risk.weight=0.5"], 4),
    "with checkpoints kept": (["training.keep_checkpoints=2", "training.validate_every=2"], 7),
    "a language model": (["model=lm", "tokenizer=char"], 3),
    "a language model of running text": (["model=lm", "training.truncated_length=5", "training.batch_tokens=40"], 5),
    "with several layers, as Bahdanau": (["model=bahdanau", "model.num_layers=2", "training.batch_tokens=128"], 5),
}


@pytest.mark.parametrize(("overrides", "at"), CASES.values(), ids=CASES)
def test_stopping_and_going_on_changes_nothing(create_run, same, monkeypatch, overrides, at):
    monkeypatch.setattr(trainer_module, "UPDATES_PER_RECORD", 4)
    overrides = ["training.steps=8", "training.validate_every=3", *overrides]
    straight = create_run(*overrides)
    whole, _ = prepare(straight)
    assert whole.train()

    stopped = create_run(*overrides)
    interrupted(stopped, at)
    torch.manual_seed(99)
    continued, _ = prepare(stopped)
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
    for updates in (3, 4):
        run.log({"split": "train", "updates": updates, "seconds": 0.5, "tokens_per_second": 99.0})
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


def finished(create_run, *overrides):
    """A run that has reached its end."""
    run = create_run("training.steps=4", "training.validate_every=1", *overrides)
    assert prepare(run)[0].train()
    return run


DAMAGES = {
    "half": lambda content: content[: len(content) // 2],
    "a few bytes": lambda content: content[:10],
    "empty": lambda content: b"",
    "text": lambda content: b"no state at all\n",
    "one bit": lambda content: content[:5000] + bytes([content[5000] ^ 1]) + content[5001:],
}
damaged = pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)


@damaged
def test_from_a_damaged_state_one_falls_back_to_the_one_before_and_ends_the_same(create_run, same, capsys, damage):
    straight, run = finished(create_run), finished(create_run)
    newest, before = saved_states(run.training_state)
    newest.write_bytes(damage(newest.read_bytes()))
    trainer, _ = prepare(run)
    assert trainer.state.updates == 3
    said = capsys.readouterr().err
    assert f"{newest} is damaged: what it holds has the checksum " in said
    assert saved_states(run.training_state) == [before]
    assert trainer.train()
    assert same(prepare(straight)[0].model.state_dict(), trainer.model.state_dict())
    assert records(straight) == records(run)


@damaged
def test_where_every_state_is_damaged_that_is_said(create_run, damage):
    run = finished(create_run)
    for path in saved_states(run.training_state):
        path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(InputError, match=r"training has no whole state .*\(2 there, all damaged\); copy the run again"):
        prepare(run)


def test_of_the_states_the_two_newest_are_kept(create_run):
    assert [path.name.partition("-")[0] for path in saved_states(finished(create_run).training_state)] == ["4", "3"]


def write_state(run, content):
    """Put a state of somebody else's making in place of the newest, under a name that fits it."""
    newest, *_ = saved_states(run.training_state)
    newest.unlink()
    (run.training_state / f"9-{checksum(content)}.pt").write_bytes(content)


def test_a_state_that_would_run_code_is_refused(create_run, tmp_path):
    class Payload:
        def __reduce__(self):
            return (open, (str(tmp_path / "proof"), "w"))

    run, buffer = finished(create_run), io.BytesIO()
    torch.save({"state": Payload()}, buffer)
    write_state(run, buffer.getvalue())
    with pytest.raises(InputError, match="does not continue this run"):
        prepare(run)
    assert not (tmp_path / "proof").exists()


def test_the_state_of_another_model_is_refused(create_run):
    small, large = (finished(create_run, f"sizes.hidden={size}") for size in (8, 24))
    write_state(small, saved_states(large.training_state)[0].read_bytes())
    with pytest.raises(InputError, match=r"does not continue this run .*size mismatch.*; copy it again or train a new"):
        prepare(Run(small.folder))


def test_going_on_from_nothing_is_refused(create_run):
    trainer, _ = prepare(create_run())
    with pytest.raises(InputError, match=r"training has no whole state .*\(none there\).*train a new one"):
        trainer.resume()


@pytest.mark.parametrize("after", range(4))
def test_a_full_disk_ends_in_one_line_and_training_goes_on_when_there_is_room(create_run, same, monkeypatch, after):
    options = ["training.steps=4", "training.validate_every=1"]
    straight, run = create_run(*options), create_run(*options)
    assert prepare(straight)[0].train()
    trainer, real, calls = prepare(run)[0], os.fsync, itertools.count()

    def full(descriptor):
        if next(calls) >= 4 * after:  # weights and state of each validation, and each time the folder
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(InputError, match=r"cannot be written \(No space left on device\)"):
            trainer.train()
    assert len(saved_states(run.training_state)) == min(after, 2)
    assert prepare(run)[0].train()
    assert straight.weights.read_bytes() == run.weights.read_bytes()
    assert records(straight) == records(run)


def test_a_state_is_kept_between_validations_too(create_run, monkeypatch):
    run = create_run("training.steps=4", "training.validate_every=4", "training.save_minutes=0.01")
    trainer, _ = prepare(run)
    monkeypatch.setattr(trainer_module.time, "perf_counter", itertools.count(0.0, 0.4).__next__)
    assert trainer.train()
    numbers = [int(path.name.partition("-")[0]) for path in saved_states(run.training_state)]
    assert numbers[0] > 1


def test_the_schedule_used_here_is_the_run_s_own(create_run):
    trainer, _ = prepare(create_run())
    assert isinstance(trainer.schedule, Linear)
