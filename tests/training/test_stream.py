"""A corpus read as a stream: every pair once an epoch, and a run that was stopped is the run that was never stopped."""

import signal

import pytest
import torch

from s2s.train import prepare

STREAM = ("data.streaming=true", "data.shuffle_buffer=25", "training.batch_tokens=128", "scheduler=constant")


@pytest.fixture
def texts(digits):
    """The pairs of the toy corpus, in order."""
    sides = [(digits / f"train.{side}").read_text(encoding="utf-8").splitlines() for side in ("de", "en")]
    return list(zip(*sides, strict=True))


def seen(trainer):
    """The pairs of every update made from here on, as text, with its epoch."""
    found, update, data = [], trainer._update, trainer.data

    def noting(plan, place):
        for batch in plan.groups[place]:
            for row in batch.tolist():
                sides = zip((data.source, data.target), (plan.ids.source, plan.ids.target), strict=True)
                found.append((trainer.state.epoch, tuple(side.decode(ids[row].tolist()) for side, ids in sides)))
        return update(plan, place)

    trainer._update = noting
    return found


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_every_pair_is_read_once_an_epoch_in_another_order(create_run, texts, workers):
    run = create_run(*STREAM, f"data.workers={workers}", "training.epochs=2")
    trainer, _ = prepare(run)
    found = seen(trainer)
    assert trainer.train()
    epochs = [[pair for number, pair in found if number == epoch] for epoch in (0, 1)]
    assert [sorted(epoch) for epoch in epochs] == [sorted(texts)] * 2
    assert epochs[0] != epochs[1]
    assert sorted(epochs[0][:20]) != sorted(texts[:20])
    assert [record["epoch"] for record in run.records() if record["split"] == "valid"] == [1, 2]


CASES = {
    "in a later buffer": ([], 5),
    "in a later epoch": ([], 9),
    "where a buffer ends": ([], 3),
    "with two workers": (["data.workers=2", "data.shuffle_buffer=20"], 5),
    "without a worker": (["data.workers=0"], 7),
    "with BPE-dropout": (["tokenizer=bpe", "tokenizer.vocabulary_size=40", "tokenizer.sampling=0.3"], 5),
    "where a validation was due": (["training.validate_every=5"], 5),
}


@pytest.mark.parametrize(("options", "at"), CASES.values(), ids=CASES)
def test_stopping_inside_a_streamed_epoch_and_going_on_changes_nothing(create_run, same, options, at):
    options = [*STREAM, "training.steps=12", "training.validate_every=100", *options]
    straight, stopped = create_run(*options), create_run(*options)
    whole, _ = prepare(straight)
    expected = seen(whole)
    assert whole.train()
    assert {epoch for epoch, _ in expected} >= {0, 1}

    trainer, _ = prepare(stopped)
    found, update = seen(trainer), trainer._update

    def interrupting(*arguments):
        if trainer.state.updates == at - 1:
            signal.raise_signal(signal.SIGINT)
        return update(*arguments)

    trainer._update = interrupting
    assert not trainer.train()
    assert trainer.state.updates == at
    torch.manual_seed(99)
    going_on, _ = prepare(stopped)
    rest = seen(going_on)
    assert going_on.train()
    assert found + rest == expected
    assert same(whole.model.state_dict(), going_on.model.state_dict())
    assert same(whole.optimizer.state_dict(), going_on.optimizer.state_dict())
    assert straight.weights.read_bytes() == stopped.weights.read_bytes()
