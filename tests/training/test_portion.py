"""A large corpus is trained on portion by portion, and every pair once an epoch all the same."""

import signal
from dataclasses import replace

import numpy as np
import pytest

from s2s.train import prepare
from s2s.training import data as data_module
from s2s.training.data import texts_to_learn
from s2s.training.portion import cut, planned
from s2s.training.processes import Processes


@pytest.mark.parametrize(("size", "of"), [(3, 4), (4, 3), (10, 1), (11, 1)])
def test_every_row_is_in_one_portion_of_an_epoch_and_epochs_differ(size, of):
    rows = np.arange(5, 15, dtype=np.int32)

    def epoch(number, seed=1):
        return [cut(rows, portion, size, seed=seed, epoch=number) for portion in range(of)]

    assert {count for _, count in epoch(0)} == {of}
    portions = [portion.tolist() for portion, _ in epoch(0)]
    assert sorted(row for portion in portions for row in portion) == rows.tolist()
    assert max(map(len, portions)) <= size
    assert portions == [portion.tolist() for portion, _ in epoch(0)]
    for other in (epoch(1), epoch(0, seed=2)):
        assert (portions != [portion.tolist() for portion, _ in other]) == (of > 1)


def test_streams_of_a_running_text_are_dealt_out_and_are_those_of_one_process(create_run):
    trainer, _ = prepare(create_run("model=lm", "training.truncated_length=7"))
    portion = trainer.data.portion(0, 0, ())

    def plan(count, rank, tokens):
        settings = replace(trainer.settings, batch_tokens=tokens)
        return planned(portion, settings, seed=1, epoch=0, processes=Processes(count, rank))

    whole, first, second = plan(1, 0, 70), plan(2, 0, 35), plan(2, 1, 35)
    assert whole.streams == first.streams == second.streams == 10
    assert whole.tokens == first.tokens == second.tokens
    for (batch,), (one,), (other,) in zip(whole.groups, first.groups, second.groups, strict=True):
        assert sorted([*one, *other]) == sorted(batch)
        assert len(one) == len(other) == 5


def seen(trainer):
    """The rows of every update made from here on, with its epoch."""
    rows, update = [], trainer._update

    def noting(plan, place):
        found = [row for batch in plan.groups[place] for row in batch.tolist()]
        rows.append((trainer.state.epoch, found))
        return update(plan, place)

    trainer._update = noting
    return rows


def test_an_epoch_in_portions_has_every_pair_once_and_is_validated_once(create_run, monkeypatch):
    monkeypatch.setattr(data_module, "PAIRS_AT_ONCE", 25)
    run = create_run("training.epochs=2", "training.batch_tokens=128")
    trainer, _ = prepare(run)
    rows = seen(trainer)
    assert trainer.train()
    for epoch in (0, 1):
        assert sorted(row for number, some in rows if number == epoch for row in some) == list(range(60))
    assert [record["epoch"] for record in run.records() if record["split"] == "valid"] == [1, 2]
    assert trainer.state.epochs == 2


@pytest.mark.parametrize("options", [[], ["tokenizer=bpe", "tokenizer.vocabulary_size=40", "tokenizer.sampling=0.3"]])
def test_a_run_stopped_in_a_later_portion_goes_on_as_if_nothing_had_been(create_run, monkeypatch, same, options):
    monkeypatch.setattr(data_module, "PAIRS_AT_ONCE", 25)
    options = [*options, "training.steps=12", "training.batch_tokens=128", "training.validate_every=100"]
    straight, stopped = create_run(*options), create_run(*options)
    whole, _ = prepare(straight)
    expected = seen(whole)
    assert whole.train()
    trainer, _ = prepare(stopped)
    rows, update = seen(trainer), trainer._update

    def interrupting(*arguments):
        if trainer.state.updates == 5:
            signal.raise_signal(signal.SIGINT)
        return update(*arguments)

    trainer._update = interrupting
    assert not trainer.train()
    assert (trainer.state.portion, trainer.state.epoch) != (0, 0)
    going_on, _ = prepare(stopped)
    rest = seen(going_on)
    assert going_on.train()
    assert rows + rest == expected
    assert same(whole.model.state_dict(), going_on.model.state_dict())


def test_tokenizers_learn_from_blocks_of_a_large_corpus_and_from_all_of_a_small_one(monkeypatch):
    import datasets

    texts = [f"text {row}" for row in range(95)]
    train = datasets.Dataset.from_dict({"source": texts, "target": texts})
    monkeypatch.setattr(data_module, "BLOCK", 10)
    assert list(texts_to_learn(train, "source")) == texts
    monkeypatch.setattr(data_module, "TOKENIZER_PAIRS", 40)
    some = list(texts_to_learn(train, "target"))
    assert 30 <= len(some) <= 50
    assert some[:10] == texts[:10]
    assert [text for text in texts if text in some] == some
    assert int(some[-1].split()[1]) >= 70
