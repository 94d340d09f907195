"""python -m s2s.average: the mean of checkpoints as a run that is like any other."""

import json
import re
import shutil

import pytest

from s2s import Translator
from s2s.run import Run
from s2s.train import prepare
from s2s.training.average import average_checkpoints


@pytest.fixture(scope="module")
def checkpointed(create_run):
    """A run that kept the weights of its last three of four validations, the last of them ruined."""
    run = create_run(
        "training.steps=40",
        "training.validate_every=10",
        "training.keep_checkpoints=3",
        "training.criterion=bleu",
        "optimizer.lr=0.02",
        name="x",
    )
    trainer, _ = prepare(run)
    assert trainer.train()
    return run


@pytest.fixture
def run(checkpointed, tmp_path):
    """A copy that may be changed."""
    return Run(shutil.copytree(checkpointed.folder, tmp_path / "runs" / "x"))


def valid(run):
    return [record for record in run.records() if record["split"] == "valid"]


def test_the_average_is_a_run_that_translates_and_tells_what_it_is(in_process, run, same):
    code, _, error = in_process("average", f"run={run.folder}", "device=cpu")
    assert code == 0, error
    new = Run(run.folder.parent / "x-average")
    mean = average_checkpoints(run, run.kept_checkpoints().values())
    assert same(new.load_model().state_dict(), mean.state_dict())
    assert new.config.averaged == {"run": str(run.folder), "updates": [20, 30, 40]}
    assert Translator.load(new, device="cpu")(["eins zwei"])[0].source == "eins zwei"
    (record,) = valid(new)
    kept = json.loads(new.result.read_text(encoding="utf-8"))
    assert kept["BLEU"]["value"] == record["bleu"]["value"]
    assert kept["BLEU"]["split"] == "validation"
    assert kept["training"]["validation_perplexity"] == record["perplexity"]
    assert kept["training"]["seconds"] == max(one["seconds"] for one in run.records())
    assert error.endswith("averaged: runs/x-average\n")


def test_the_table_sets_the_average_below_what_it_was_made_of_and_the_best(in_process, run):
    code, out, error = in_process("average", f"run={run.folder}", "last=2", "device=cpu")
    assert code == 0, error
    lines = out.splitlines()
    assert lines[0].split() == ["perplexity", "BLEU", "chrF2"]
    assert lines[-1].startswith("average")
    best = max(valid(run), key=lambda record: record["bleu"]["value"])
    assert f"{best['updates']} updates (best)" in out
    for record in valid(run)[-2:]:
        numbers = f"{record['perplexity']:.2f} +{record['bleu']['value']:.2f} +{record['chrf']['value']:.2f}"
        assert re.search(rf"^{record['updates']} updates.* {numbers}$", out, re.M)
    assert len({len(line) for line in lines}) == 1


@pytest.mark.parametrize(("choice", "expected"), [("last=2", [30, 40]), ("best=2", [20, 40]), ("best=1", [40])])
def test_the_newest_or_the_best_are_averaged(in_process, run, choice, expected):
    scores = {10: 50, 20: 40, 30: 10, 40: 45}
    records = [{**record, "bleu": {"value": scores[record["updates"]]}} for record in valid(run)]
    run.metrics.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    code, out, error = in_process("average", f"run={run.folder}", choice, "name=y", "device=cpu")
    assert code == 0, error
    assert Run(run.folder.parent / "y").config.averaged.updates == expected
    assert out.splitlines()[-2].startswith("10 updates (best)")


def test_a_run_that_is_begun_from_an_average_goes_on_from_its_weights(in_process, run):
    assert in_process("average", f"run={run.folder}", "device=cpu")[0] == 0
    code, _, error = in_process(
        "train", "init=runs/x-average", "training.steps=1", "training.criterion=loss", "device=cpu"
    )
    assert code == 0, error
    begun = valid(Run(run.folder.parent / "x-average-tuned"))
    assert begun[0]["updates"] == 0
    assert begun[0]["perplexity"] == pytest.approx(valid(Run(run.folder.parent / "x-average"))[0]["perplexity"])


def test_an_average_has_no_training_to_go_on_with(in_process, run):
    assert in_process("average", f"run={run.folder}", "device=cpu")[0] == 0
    code, _, error = in_process("train", "resume=runs/x-average")
    assert (code, error) == (
        2,
        "error: runs/x-average is an average, with no training to go on with; begin a new run with "
        "init=runs/x-average\n",
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["last=4"], r"last=4, but .*runs/x kept 3 checkpoints; give 1 to 3"),
        (["last=0"], r"last=0, but .* kept 3 checkpoints"),
        (["best=few"], r"best=few, but .* kept 3 checkpoints"),
        (["last=2", "best=2"], r"last=2 and best=2 are two choices; give one of them"),
        (["name=x"], r"runs/x exists; give another name="),
        (["run=nowhere"], r"nowhere is no run"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_no_run_behind(in_process, run, options, message):
    given = [] if options[0].startswith("run=") else [f"run={run.folder}"]
    code, out, error = in_process("average", *given, *options, "device=cpu")
    assert (code, out) == (2, "")
    assert re.fullmatch(f"error: .*{message}.*", error.splitlines()[-1])
    assert [path.name for path in run.folder.parent.iterdir()] == ["x"]


def test_a_run_without_checkpoints_says_how_to_keep_some(in_process, trained):
    code, _, error = in_process("average", f"run={trained.folder}")
    assert code == 2
    assert "kept no checkpoints; train, or resume it, with training.keep_checkpoints=5" in error


def test_a_corpus_that_is_gone_leaves_no_run_behind(in_process, run):
    text = (run.folder / "config.yaml").read_text(encoding="utf-8")
    (run.folder / "config.yaml").write_text(re.sub(r"(?m)^  path: .*$", "  path: gone", text), encoding="utf-8")
    code, _, error = in_process("average", f"run={run.folder}")
    assert code == 2
    assert "data.path: gone does not exist" in error
    assert not (run.folder.parent / "x-average").exists()
