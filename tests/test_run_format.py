"""A run that an earlier release wrote is read by this one, and gives the same translations."""

import json
import shutil
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from s2s import run_format
from s2s.errors import InputError
from s2s.report.differences import differing_options
from s2s.run import Run
from s2s.run_format import FORMAT, PARTS, read_config
from s2s.translator import Translator

FIXTURES = Path(__file__).parent / "fixtures"
RUNS = sorted(path.parent for path in FIXTURES.glob("run-format-*/*/config.yaml"))
CONFIG = {**{name: {} for name in PARTS}, "seed": 1}


def test_every_format_there_was_has_runs_that_are_kept():
    assert {run.parent.name for run in RUNS} == {f"run-format-{number}" for number in range(1, FORMAT + 1)}
    assert {run.name for run in RUNS} >= {"de-en", "en-zh"}


@pytest.mark.parametrize("folder", RUNS, ids=lambda folder: f"{folder.parent.name}/{folder.name}")
@pytest.mark.parametrize("shortlist", [None, 10])
def test_a_kept_run_translates_as_it_did_when_it_was_written(folder, shortlist):
    lines = folder.with_suffix(".jsonl").read_text(encoding="utf-8").splitlines()
    expected = [one for one in map(json.loads, lines) if one["shortlist"] == shortlist]
    assert len(expected) >= 8
    translator = Translator.load(folder, device="cpu", shortlist=shortlist)
    for one, found in zip(expected, translator([one["source"] for one in expected]), strict=True):
        assert found.text == one["text"]
        assert found.log_prob == pytest.approx(one["log_prob"], abs=1e-4)
        assert found.token_log_probs == pytest.approx(one["token_log_probs"], abs=1e-4)


def written(folder, **more):
    """The path of a configuration with this in it."""
    OmegaConf.save(OmegaConf.create({**CONFIG, **more}), folder / "config.yaml")
    return folder / "config.yaml"


def test_a_new_run_says_its_format(tmp_path):
    run = Run.create(tmp_path, "x", OmegaConf.create(CONFIG), exact=True)
    assert (run.folder / "config.yaml").read_text(encoding="utf-8").startswith(f"format: {FORMAT}\n")
    assert run.config == {"format": FORMAT, **CONFIG}


@pytest.mark.parametrize("name", CONFIG)
def test_a_configuration_without_one_of_its_parts_is_refused(tmp_path, name):
    OmegaConf.save(
        OmegaConf.create({key: part for key, part in CONFIG.items() if key != name}), tmp_path / "config.yaml"
    )
    with pytest.raises(
        InputError, match=f"config.yaml is no run's configuration: it has no {name}; copy the run again"
    ):
        read_config(tmp_path / "config.yaml")


def test_a_run_that_says_no_format_is_of_the_first(tmp_path):
    assert read_config(written(tmp_path)).format == FORMAT


def test_a_run_of_a_later_release_is_refused(tmp_path):
    with pytest.raises(InputError, match=rf"is of run format {FORMAT + 1}, .* reads 1 to {FORMAT}; install a later"):
        read_config(written(tmp_path, format=FORMAT + 1))


def test_a_run_goes_through_every_step_from_its_format_to_todays(tmp_path, monkeypatch):
    steps = {
        1: lambda config: {**config, "search": {"steps": [1]}},
        2: lambda config: {**config, "search": {"steps": [*config["search"]["steps"], 2]}},
    }
    monkeypatch.setattr(run_format, "FORMAT", 3)
    monkeypatch.setattr(run_format, "MIGRATIONS", steps)
    assert read_config(written(tmp_path)).search.steps == [1, 2]
    assert read_config(written(tmp_path, format=2, search={"steps": []})).search.steps == [2]
    assert read_config(written(tmp_path, format=3)) == {**CONFIG, "format": 3}


@pytest.mark.parametrize(("tensorboard", "trackers"), [(True, ["tensorboard"]), (False, []), (None, [])])
def test_a_run_of_format_1_that_wrote_for_tensorboard_goes_on_doing_so(tmp_path, tensorboard, trackers):
    training = {"steps": 5} if tensorboard is None else {"steps": 5, "tensorboard": tensorboard}
    assert read_config(written(tmp_path, format=1, training=training)).training == {"steps": 5, "trackers": trackers}
    own = {"trackers": ["wandb"]}
    assert read_config(written(tmp_path, format=2, training=own)).training == own


def test_the_format_is_no_difference_between_runs():
    assert differing_options([{**CONFIG, "format": 1, "seed": 1}, {**CONFIG, "seed": 2}]) == [
        {"seed": "1"},
        {"seed": "2"},
    ]


def test_a_run_that_is_opened_is_left_as_it_is(tmp_path):
    folder = shutil.copytree(RUNS[0], tmp_path / "copy")
    before = (folder / "config.yaml").read_bytes()
    Run(folder).load_model()
    assert (folder / "config.yaml").read_bytes() == before
