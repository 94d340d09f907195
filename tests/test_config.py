"""Configuration: every file composes, and every mistake names the nearest option."""

import re

import pytest
from omegaconf import OmegaConf

from s2s.config import CONF, compose, help_text
from s2s.errors import InputError

COMMANDS = ("train", "translate", "evaluate")
FILES = sorted(path.relative_to(CONF).with_suffix("").as_posix() for path in CONF.glob("*/**/*.yaml"))


def test_there_are_configuration_files():
    assert {"model/luong", "model/attention/general", "search/beam", "data/files", "optimizer/adam"} <= set(FILES)


@pytest.mark.parametrize("file", FILES)
def test_every_configuration_file_composes(file):
    group, _, choice = file.rpartition("/")
    if group == "sweep":
        pytest.importorskip("hydra_plugins.hydra_optuna_sweeper", reason="the sweep extra is not installed")
    config = compose("train", [f"{group}={choice}"])
    assert "training" in config
    if not OmegaConf.missing_keys(config):
        OmegaConf.to_container(config, resolve=True)


@pytest.mark.parametrize("file", FILES)
def test_the_first_comment_which_help_shows_does_not_go_on_in_the_second(file):
    lines = (CONF / f"{file}.yaml").read_text(encoding="utf-8").splitlines()
    comments = [line for line in lines if line.startswith("#") and "@package" not in line]
    assert not comments[1:] or not re.match("# [a-z]", comments[1]), comments[:2]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_composes(name):
    assert OmegaConf.to_container(compose(name, []), resolve=True)["search"]["beam_size"] == 5


@pytest.mark.parametrize(
    ("name", "override", "message"),
    [
        ("train", "training.epoch=3", "training.epoch is unknown, did you mean training.epochs?"),
        ("train", "epochs=3", "epochs is unknown, did you mean training.epochs?"),
        ("train", "trainin.steps=3", "trainin.steps is unknown, did you mean training.steps?"),
        ("train", "modle=luong", "modle is unknown, did you mean model?"),
        ("train", "model/atention=dot", "model/atention is unknown, did you mean model/attention?"),
        (
            "train",
            "model=loung",
            "model=loung is unknown, did you mean luong?; model is one of bahdanau, ",
        ),
        ("train", "model/attention=generl", "model/attention=generl is unknown, did you mean general?"),
        ("train", "model/rnn@model.encoder_rnn=gruu", "encoder_rnn=gruu is unknown, did you mean gru?; model/rnn@"),
        ("train", "model/rnn@model.encoder_rn=gru", "model/rnn@model.encoder_rn is unknown"),
        ("train", "optimizer=adma", "optimizer=adma is unknown, did you mean adam"),
        ("train", "experiment=nope", "experiment=nope is unknown"),
        ("train", "model.hidden=3", "model.hidden is unknown, did you mean"),
        ("translate", "search.beamsize=3", "search.beamsize is unknown, did you mean search.beam_size?"),
        (
            "translate",
            "search=bean",
            "search=bean is unknown, did you mean beam?; search is one of beam, greedy, sample",
        ),
        ("evaluate", "hypothesis=x", "hypothesis is unknown, did you mean hypotheses?"),
        ("translate", "zzzzzzzz=1", "zzzzzzzz is unknown; `--help` lists the options"),
        ("train", "+x=1", "'+x=1': options are neither added nor deleted here; give x=1 without the sign"),
        ("train", "++seed=1", "'++seed=1': options are neither added nor deleted here; give seed=1 without the sign"),
        ("train", "~seed", "'~seed': options are neither added nor deleted here; give seed without the sign"),
        ("train", "seed", "'seed' cannot be read: expected name=value"),
        ("train", "name=[1,", "'name=[1,' cannot be read: expected name=value; quote values with blanks or commas"),
    ],
)
def test_a_mistaken_override_is_explained(name, override, message):
    with pytest.raises(InputError, match=re.escape(message)):
        compose(name, [override])


def test_only_the_mistaken_override_is_blamed():
    right = ["search=sample", "search.temperature=0.5", "data=files", "data.source=de"]
    with pytest.raises(InputError, match=re.escape("training.epoch is unknown, did you mean training.epochs?")):
        compose("train", [*right, "training.epoch=3"])


def test_composing_goes_on_after_a_mistake():
    with pytest.raises(InputError):
        compose("train", ["trainin.steps=3"])
    assert compose("train", ["training.steps=3"]).training.steps == 3


def test_an_interpolation_that_leads_nowhere_is_explained(in_process):
    code, _, error = in_process("train", "model.hidden_size=${nowhere}")
    assert code == 2
    assert error.startswith("error: ")
    assert "nowhere" in error
    assert len(error.splitlines()) == 1


def test_a_missing_mandatory_value_is_named(in_process, tmp_path):
    code, _, error = in_process("train", "data=files", f"data.path={tmp_path}", "data.source=de")
    assert (code, error) == (2, "error: data.target is not set; give data.target=… on the command line\n")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", COMMANDS)
def test_help_lists_every_option_and_every_choice(name):
    text = help_text(name)
    groups = {file.split("/")[0] for file in FILES} if name == "train" else {"search"}
    for file in FILES:
        group, _, choice = file.rpartition("/")
        assert (f"  {group}={choice} " in text) == (file.split("/")[0] in groups)
    own = OmegaConf.load(CONF / f"{name}.yaml")
    for option in [*own, *(own.get("training") or {})]:
        assert (f"{option}:" in text) == (option not in ("defaults", "_target_"))
    assert "@package" not in text
    assert "--cfg=job shows" in text


def test_help_goes_to_stdout(in_process):
    assert in_process("translate", "--help") == (0, help_text("translate") + "\n", "")


@pytest.mark.parametrize("flags", [["--cfg", "job"], ["-c", "job"], ["--cfg=job"]])
def test_cfg_shows_the_configuration_and_trains_nothing(in_process, tmp_path, flags):
    code, shown, said = in_process("train", *flags, "training.epochs=7")
    assert (code, said) == (0, "")
    assert OmegaConf.create(shown) == compose("train", ["training.epochs=7"])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("flags", [["--cfg"], ["--cfg", "training.epochs=7"], ["--cfg=jobs"]])
def test_cfg_of_nothing_that_can_be_shown_is_one_line(in_process, flags):
    code, shown, said = in_process("train", *flags)
    assert (code, shown, said.count("\n")) == (2, "", 1)
    assert "shows nothing; write --cfg=job" in said


def test_cfg_is_no_bare_word(in_process):
    code, shown, _ = in_process("compare", "runs/a", "--cfg", "job")
    assert (code, OmegaConf.create(shown).runs) == (0, ["runs/a"])


@pytest.mark.parametrize(
    ("override", "value"),
    [
        ("data.path=语料/训练", "语料/训练"),
        ("data.path=Größe", "Größe"),
        ("data.path='schön, oder'", "schön, oder"),
        ("data.train=[训练.zh,train.en]", ["训练.zh", "train.en"]),
    ],
)
def test_values_in_any_letters_are_read_as_they_are_typed(override, value):
    key = override.split("=")[0].removeprefix("data.")
    assert compose("train", ["data=files", override]).data[key] == value


@pytest.mark.parametrize(
    ("command", "override", "expected"),
    [
        ("translate", "batch_size=many", "batch_size=many is no value for batch_size; expected a number, such as 64"),
        ("inspect", "share=half", "share=half is no value for share; expected a number, such as 0.5"),
        ("tune", "keep=maybe", "keep=maybe is no value .*; expected true or false"),
        ("train", "training.epochs=all", "training.epochs=all is no value .*; expected a number, such as 10"),
    ],
)
def test_a_word_where_a_number_or_a_truth_belongs_is_refused(command, override, expected):
    with pytest.raises(InputError, match=expected):
        compose(command, [override])
    compose(command, [override.partition("=")[0] + ("=true" if "true" in expected else "=1")])
