"""A run that begins from another: what it takes, what it keeps, and what it refuses."""

import re
import shutil

import pytest
import torch
from omegaconf import OmegaConf

from s2s.building import build
from s2s.errors import InputError
from s2s.run import Run
from s2s.train import prepare

QUICK = ("training.steps=2", "training.criterion=loss", "device=cpu")


@pytest.fixture
def other(trained, tmp_path):
    """A copy of the trained run that may be changed or removed."""
    return Run(shutil.copytree(trained.folder, tmp_path / "runs" / "other"))


def valid(run):
    return [record for record in run.records() if record["split"] == "valid"]


def test_a_run_begins_with_the_weights_and_tokenizers_of_another_and_validates_them_first(create_run, other, same):
    run = create_run("training.steps=1", "sizes.dropout=0", f"init={other.folder}", "seed=5")
    trainer, _ = prepare(run)
    assert same(trainer.model.state_dict(), other.load_model().state_dict())
    assert [one.model for one in run.tokenizers()] == [one.model for one in other.tokenizers()]
    assert trainer.train()
    assert [record["updates"] for record in valid(run)] == [0, 1]
    best = min(valid(other), key=lambda record: record["perplexity"])
    assert valid(run)[0]["perplexity"] == pytest.approx(best["perplexity"], rel=1e-5)


def test_what_is_kept_is_no_worse_than_what_it_began_with(create_run, other, same):
    ruinous = ("optimizer=sgd", "optimizer.lr=100", "training.clip_norm=null", "scheduler=constant")
    run = create_run(*ruinous, "training.steps=2", f"init={other.folder}")
    assert prepare(run)[0].train()
    assert [record["best"] for record in valid(run)] == [True, False]
    assert same(run.load_model().state_dict(), other.load_model().state_dict())


@pytest.mark.parametrize("updates", [0, 2])
def test_once_it_has_begun_the_other_run_may_be_gone(create_run, other, same, updates):
    options = ("training.steps=4", "training.validate_every=2", "scheduler=constant", f"init={other.folder}")
    whole = prepare(create_run(*options))[0]
    assert whole.train()
    run = create_run(*options)
    trainer, _ = prepare(run)
    if updates:
        trainer.settings = build(OmegaConf.merge(run.config.training, {"steps": updates}), "training")
        assert trainer.train()
    shutil.rmtree(other.folder)
    trainer, _ = prepare(Run(run.folder))
    assert trainer.state.updates == updates
    assert trainer.train()
    assert same(trainer.model.state_dict(), whole.model.state_dict())


def test_other_sizes_are_refused(create_run, other):
    with pytest.raises(
        InputError, match=r"encoder\.\S+ would be \(\d+.*\) here and is \(\d+.*\) in init=.*other; leave out the model"
    ):
        prepare(create_run("sizes.hidden=8", f"init={other.folder}"))


def test_another_cell_is_refused(create_run, other):
    with pytest.raises(InputError, match=r" in init=.*other; leave out the model\.\* options that change its sizes"):
        prepare(create_run("model/rnn=gru", f"init={other.folder}"))


def test_a_run_without_weights_is_refused(create_run, other):
    other.weights.unlink()
    with pytest.raises(InputError, match="has no weights yet"):
        prepare(create_run(f"init={other.folder}"))


def test_model_tokenizer_data_and_search_are_the_other_run_s_unless_typed(in_process, other, tmp_path):
    code, _, error = in_process(
        "train", "init=runs/other", "model.dropout=0.4", "search=greedy", "data.limit=40", *QUICK
    )
    assert code == 0, error
    run = Run(tmp_path / "runs" / "other-tuned")
    assert run.config.init == "runs/other"
    assert run.config.model == {**other.config.model, "dropout": 0.4}
    assert run.config.tokenizer == other.config.tokenizer
    assert run.config.data == {**other.config.data, "limit": 40}
    assert run.config.search.beam_size == 1
    assert "40 training and 8 validation pairs" in error
    assert other.config.search.beam_size == 5


def test_data_that_is_chosen_is_read_instead(in_process, other, digits, tmp_path):
    for language in ("de", "en"):
        (tmp_path / f"train.{language}").write_text("eins zwei\n" * 40, encoding="utf-8")
    data = ("data=files", "data.source=de", "data.target=en", f"data.path={tmp_path}")
    code, _, error = in_process("train", "init=runs/other", "name=y", *data, *QUICK)
    assert code == 0, error
    assert "38 training and 2 validation pairs" in error
    assert Run(tmp_path / "runs" / "y").tokenizers()[0].model == other.tokenizers()[0].model


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (
            "model=bahdanau",
            r"model cannot be chosen in a run that begins from another: .* those of init=runs/other; only",
        ),
        ("model/rnn=gru", r"model/rnn cannot be chosen in a run that begins from another"),
        ("model/rnn@model.encoder_rnn=gru", r"model/rnn@model\.encoder_rnn cannot be chosen"),
        ("tokenizer=bpe", r"tokenizer cannot be chosen"),
        ("sizes.dropout=0", r"sizes\.dropout cannot be chosen"),
        ("experiment=quick", r"experiment cannot be chosen"),
        ("tokenizer.joint=false", r"tokenizer\.joint cannot change .*, only tokenizer\.sampling can"),
        (
            "model.hidden_size=8",
            r"would be \(.*\) here and is \(.*\) in init=runs/other; leave out the model\.\* options",
        ),
    ],
)
def test_what_the_other_run_decides_is_one_line_and_leaves_no_run_behind(in_process, other, tmp_path, option, message):
    code, out, error = in_process("train", "init=runs/other", option, *QUICK)
    assert (code, out) == (2, "")
    assert re.search(f"^error: .*{message}", error.splitlines()[-1])
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["other"]


def test_another_run_that_is_not_there_is_refused(in_process):
    code, _, error = in_process("train", "init=nowhere", *QUICK)
    assert (code, error) == (
        2,
        "error: nowhere is no run: it has no config.yaml; train one with `python -m s2s.train`\n",
    )


def test_a_moving_average_begins_with_the_weights_it_was_given(create_run, other):
    run = create_run("training.steps=1", "training.moving_average=0.9", f"init={other.folder}")
    trainer, _ = prepare(run)
    assert all(map(torch.equal, trainer.average.averages, other.load_model().parameters()))
