"""TensorBoard, Weights & Biases and MLflow are told of a run where they are asked to be, by the first process alone."""

import importlib.util
import sqlite3

import pytest

from s2s.errors import InputError
from s2s.train import prepare
from s2s.training import acceleration as acceleration_module
from s2s.training import trainer as trainer_module
from s2s.training.processes import Processes

DATABASE = "mlflow.db"


@pytest.fixture(autouse=True)
def every_update_recorded(monkeypatch):
    monkeypatch.setattr(trainer_module, "UPDATES_PER_RECORD", 1)


def scalars(run):
    """What TensorBoard would show: name -> (update, value) of each point."""
    event_accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    events = event_accumulator.EventAccumulator(str(run.folder / "tensorboard" / "s2s")).Reload()
    return {name: [(one.step, one.value) for one in events.Scalars(name)] for name in events.Tags()["scalars"]}


def test_tensorboard_gets_every_number_on_record_and_the_configuration(create_run):
    run = create_run("training.steps=2", "training.validate_every=1", "training.trackers=[tensorboard]")
    assert prepare(run)[0].train()
    shown = scalars(run)
    assert {"train/loss", "train/learning_rate", "train/tokens_per_second", "valid/perplexity"} <= set(shown)
    for split, name in (("train", "loss"), ("valid", "perplexity")):
        expected = [(one["updates"], one[name]) for one in run.records() if one["split"] == split]
        assert [step for step, _ in shown[f"{split}/{name}"]] == [1, 2]
        assert shown[f"{split}/{name}"] == [(step, pytest.approx(value, rel=1e-6)) for step, value in expected]
    (parameters,) = (run.folder / "tensorboard").rglob("hparams.yml")
    lines = parameters.read_text(encoding="utf-8").splitlines()
    assert {"optimizer.lr: 0.002", "training.steps: 2", "model.attention: general"} <= set(lines)


def test_unless_asked_nobody_is_told(create_run):
    run = create_run("training.steps=1")
    trainer, _ = prepare(run)
    assert trainer.accelerator.log_with == []
    assert trainer.train()
    assert not (run.folder / "tensorboard").exists()


def test_only_the_first_process_tells(create_run, monkeypatch):
    trainer, _ = prepare(create_run("training.steps=1", "training.trackers=[tensorboard]"))
    trainer.processes = Processes(1, 1)
    monkeypatch.setattr(Processes, "is_first", False)
    assert trainer.train()
    assert not (trainer.run.folder / "tensorboard").exists()
    assert list(trainer.run.records()) == []


@pytest.mark.parametrize("name", ["tensorboard", "wandb", "mlflow"])
def test_of_one_that_is_not_installed_the_error_names_the_remedy(create_run, monkeypatch, name):
    monkeypatch.setattr(acceleration_module, "get_available_trackers", list)
    with pytest.raises(InputError, match=rf"training.trackers: {name} is not installed; `pip install 's2s\[track\]'`"):
        prepare(create_run(f"training.trackers=[{name}]"))


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("[tensorbord]", r"training.trackers=tensorbord is unknown; expected a list of tensorboard, wandb, mlflow"),
        ("wandb", r"training.trackers='wandb' is no value for it; expected a list"),
        ("true", r"training.trackers=True is no value for it; expected a list"),
    ],
)
def test_what_is_no_tracker_is_refused(create_run, typed, message):
    with pytest.raises(InputError, match=message):
        prepare(create_run(f"training.trackers={typed}"))


def test_one_that_cannot_begin_is_one_line(create_run, monkeypatch):
    def refuse(*_, **__):
        raise RuntimeError("no key\nis there")

    trainer, _ = prepare(create_run("training.steps=1", "training.trackers=[tensorboard]"))
    monkeypatch.setattr(trainer.accelerator, "init_trackers", refuse)
    with pytest.raises(
        InputError, match=r"training.trackers=\[tensorboard\] cannot begin \(no key is there\); Weights"
    ):
        trainer.train()


def told_to(name, folder):
    """Whether a tracker's files have the perplexity of validation at update 2."""
    if name == "wandb":
        (file,) = folder.glob("wandb/offline-run-*/run-*.wandb")
        return all(word in file.read_bytes() for word in (b"valid/perplexity", b"optimizer.lr"))
    query = "select key, step from metrics union select key, value from params"
    with sqlite3.connect(folder / DATABASE) as database:
        found = set(database.execute(query))
    return {("valid/perplexity", 2), ("optimizer.lr", "0.002")} <= found


@pytest.mark.slow
@pytest.mark.parametrize("name", ["wandb", "mlflow"])
def test_a_tracker_is_told_without_a_network(s2s, small_options, tmp_path, monkeypatch, environment, name):
    if importlib.util.find_spec(name) is None:
        pytest.skip(f"{name} is not installed")
    offline = {"WANDB_MODE": "offline", "MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path / DATABASE}"}
    for variable, value in offline.items():
        monkeypatch.setitem(environment, variable, value)
    done = s2s("train", *small_options, "name=x", "training.steps=2", f"training.trackers=[{name}]")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(b"test BLEU")
    assert told_to(name, tmp_path)
