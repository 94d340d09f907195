"""A corpus read as a stream: every pair once an epoch, and a run that was stopped is the run that was never stopped."""

import json
import signal

import datasets
import pytest
import torch

from s2s.errors import InputError
from s2s.text.corpus import Corpus
from s2s.train import prepare
from s2s.training import stream as stream_module
from s2s.training.stream import valid_pairs

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


def write(folder, form, rows, shards):
    """Write pairs in one of the forms a corpus may have."""
    table = datasets.Dataset.from_dict({"de": [one for one, _ in rows], "en": [other for _, other in rows]})
    if form == "tsv":
        (folder / "train.tsv").write_text("".join(f"{one}\t{other}\n" for one, other in rows), encoding="utf-8")
    elif form == "jsonl":
        lines = (json.dumps({"translation": {"de": one, "en": other}}) + "\n" for one, other in rows)
        (folder / "train.jsonl").write_text("".join(lines), encoding="utf-8")
    elif form == "parquet":
        for number in range(shards):
            table.shard(shards, number).to_parquet(folder / f"train-{number:05d}-of-{shards:05d}.parquet")
    elif form == "saved":
        table.save_to_disk(folder / "train")


ROWS = [(f"quelle {row}", f"target {row}") for row in range(3217)]


def opened(folder):
    return Corpus(source="de", target="en", label="x", path=str(folder), streaming=True).stream("train")


@pytest.mark.parametrize("form", ["tsv", "jsonl", "parquet", "saved"])
@pytest.mark.parametrize("readers", [1, 2, 3])
def test_readers_share_every_form_of_corpus_and_go_on_where_they_stood(tmp_path, form, readers):
    write(tmp_path, form, ROWS, shards=4)
    pairs = opened(tmp_path)
    found = []
    for reader in range(readers):
        whole = list(pairs.read(reader=reader, readers=readers, order=7, at_once=100))
        found += [pair for some, _ in whole for pair in some]
        state = None
        for some, _ in whole:  # each time from where the one before stood
            state = json.loads(json.dumps(state))
            one, state = next(pairs.read(reader=reader, readers=readers, order=7, state=state, at_once=100))
            assert one == some
    assert sorted(found) == sorted(ROWS)
    assert list(pairs.first(1500)) == ROWS[:1500]


def test_shards_are_read_in_another_order_each_epoch(tmp_path):
    write(tmp_path, "parquet", ROWS, shards=4)
    orders = [[pair for some, _ in opened(tmp_path).read(order=order) for pair in some] for order in (0, 1, 2, 3)]
    assert orders[0] == ROWS
    assert len({tuple(order) for order in orders}) > 2


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("train.tsv", "eins\tone\nzwei\n", r"train.tsv, line 2: 1 cells, expected 2"),
        ("train.jsonl", '{"de": "eins", "en": "one"}\n{"de": "zwei"}\n', r"train.jsonl, line 2: no column 'en'"),
        ("train.tsv", "", r"train.tsv: no pairs, expected one or more"),
    ],
)
def test_what_is_wrong_with_a_row_is_one_line_with_its_place(create_run, tmp_path, name, content, message):
    (tmp_path / name).write_text(content, encoding="utf-8")
    for side in ("de", "en"):
        (tmp_path / f"valid.{side}").write_text("eins\n", encoding="utf-8")
    with pytest.raises(InputError, match=message):
        prepare(create_run(*STREAM, f"data.path={tmp_path}"))


def test_a_mistake_that_a_worker_meets_is_one_line_too(create_run, digits, tmp_path, monkeypatch):
    good = "eins\tone\n" * 30
    (tmp_path / "train.tsv").write_text(good + "zwei\n", encoding="utf-8")
    (tmp_path / "valid.tsv").write_text("eins\tone\n", encoding="utf-8")
    monkeypatch.setattr(stream_module, "TOKENIZER_PAIRS", 20)
    monkeypatch.setattr("s2s.text.streaming.PAIRS_READ", 10)
    trainer, _ = prepare(create_run(*STREAM, f"data.path={tmp_path}", "data.shuffle_buffer=10"))
    with pytest.raises(InputError, match=r"train\.tsv, line 31: 1 cells, expected 2") as caught:
        trainer.train()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["scheduler=linear"], r"scheduler=linear falls with .*; set training.steps= or training.minutes=, or"),
        (["scheduler=cosine"], "scheduler=cosine falls with the share of training done"),
        (["data.limit=5"], "data.limit=5 does not go with data.streaming=true"),
        (["data.extra=x.tsv"], "data.extra=x.tsv does not go with data.streaming=true"),
        (["data.shuffle_buffer=0"], "data.shuffle_buffer=0 data.workers=1 read nothing; give 1 or more"),
        (["data.workers=-1"], "data.workers=-1 read nothing"),
        (["model=lm"], "data.streaming=true reads pairs to translate, without word links; leave it out for model=lm"),
        (["training.guided_alignment=1"], "data.streaming=true reads pairs to translate, without word links"),
    ],
)
def test_what_does_not_go_with_a_stream_is_refused(create_run, options, message):
    with pytest.raises(InputError, match=message):
        prepare(create_run(*STREAM, *options))


def test_with_a_number_of_updates_any_schedule_goes(create_run):
    trainer, _ = prepare(create_run(*STREAM, "scheduler=linear", "training.steps=4"))
    rates = []
    update = trainer._update
    trainer._update = lambda *plan: rates.append(trainer.optimizer.param_groups[0]["lr"]) or update(*plan)
    trainer.train()
    assert [rate / rates[0] for rate in rates] == pytest.approx([1, 0.75, 0.5, 0.25])


def test_without_a_validation_split_the_first_pairs_are_held_out_and_what_equals_them(tmp_path):
    write(tmp_path, "tsv", [*ROWS, ROWS[3]], shards=1)
    corpus, said = Corpus(source="de", target="en", label="x", path=str(tmp_path), streaming=True), []
    valid = valid_pairs(corpus, said.append)
    assert list(zip(valid["source"], valid["target"], strict=True)) == ROWS[:160]
    assert said == ["no validation split: the first 160 training pairs are held out for it, and what equals them"]


def test_pairs_held_out_are_not_trained_on(create_run, tmp_path):
    write(tmp_path, "tsv", [*ROWS[:60], ROWS[1], ROWS[0]], shards=1)
    trainer, _ = prepare(create_run(*STREAM, f"data.path={tmp_path}", "training.epochs=1"))
    found = seen(trainer)
    trainer.train()
    assert list(zip(trainer.data.valid_sources, trainer.data.valid_targets, strict=True)) == ROWS[:3]
    assert sorted(pair for _, pair in found) == sorted(ROWS[3:60])


def test_pairs_that_are_left_out_are_counted_once_an_epoch(create_run, capsys):
    trainer, _ = prepare(create_run(*STREAM, "training.longest=12", "training.epochs=1"))
    found = seen(trainer)
    trainer.train()
    left_out = 60 - len(found)
    assert 0 < left_out < 60
    line = f"epoch 1: of 60 pairs that were read, left out 0 with an empty side, {left_out} with more than 12 pieces"
    assert line in capsys.readouterr().err


def test_a_stream_of_which_nothing_can_be_used_ends_in_one_line(create_run):
    trainer, _ = prepare(create_run(*STREAM, "training.longest=1"))
    with pytest.raises(InputError, match=r"no training pair is left of a whole epoch; raise training\.longest=1 or"):
        trainer.train()


def test_an_epoch_cannot_go_on_with_another_number_of_readers(create_run):
    run = create_run(*STREAM, "training.steps=5", "training.validate_every=100")
    prepare(run)[0].train()
    run.config.training.steps, run.config.data.workers = 9, 2
    trainer, _ = prepare(run)
    with pytest.raises(InputError, match=r"this epoch was begun by 1 readers .* now there are 2; start as many as"):
        trainer.train()


def test_splits_of_the_hub_are_streamed(monkeypatch):
    rows = datasets.Dataset.from_dict({"translation": [{"de": one, "en": other} for one, other in ROWS]})

    def load_dataset(name, config, revision, streaming):
        assert (name, config, revision, streaming) == ("owner/pairs", None, None, True)
        return datasets.IterableDatasetDict({split: rows.to_iterable_dataset() for split in ("train", "validation")})

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    corpus = Corpus(source="de", target="en", label="x", name="owner/pairs", streaming=True)
    assert list(corpus.stream("train").first(5)) == ROWS[:5]
    valid = corpus.load("valid")
    assert list(zip(valid["source"], valid["target"], strict=True)) == ROWS


def test_a_finished_run_that_was_streamed_is_reported_on(in_process, small_options):
    code, out, err = in_process("train", *small_options, *STREAM, "training.steps=3", "name=x")
    assert code == 0, err
    assert "test BLEU" in out
    assert "files: a stream, 8 validation pairs, de to en" in err
