"""Configuration: every file composes, every mistake names the nearest option, and no stranger's code is run."""

import re

import pytest
from omegaconf import OmegaConf

from s2s.config import CONF, build, compose, help_text
from s2s.errors import InputError
from s2s.search.beam import BeamSearch
from s2s.text.corpus import Corpus

COMMANDS = ("train", "translate", "evaluate")
FILES = sorted(path.relative_to(CONF).with_suffix("").as_posix() for path in CONF.glob("*/**/*.yaml"))


def test_there_are_configuration_files():
    assert {"model/luong", "model/attention/general", "search/beam", "data/files", "optimizer/adam"} <= set(FILES)


@pytest.mark.parametrize("file", FILES)
def test_every_configuration_file_composes(file):
    group, _, choice = file.rpartition("/")
    config = compose("train", [f"{group}={choice}"])
    assert "training" in config
    if not OmegaConf.missing_keys(config):
        OmegaConf.to_container(config, resolve=True)


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


def test_a_configuration_node_becomes_its_object():
    search = build(compose("translate", ["search.beam_size=2"]).search)
    assert search == BeamSearch(beam_size=2)
    assert isinstance(build(compose("train", []).data), Corpus)


@pytest.mark.parametrize(
    "target",
    [
        "os.system",
        "builtins.eval",
        "subprocess.Popen",
        "torch.load",
        "torch.optim.Adam.__init__.__globals__",
        "torch.optim.Adam.__init__",
        "torch.optim.LBFGS",
        "s2s.text.corpus.read_lines",
        "s2s.text.corpus.json.loads",
        "s2s.text.corpus.Path",
        "s2s.text.tokenizer.Tokenizer.load",
        "s2s.text.batching.Tensor",
        "s2s.run.Run",
        "s2s.training.resume.load_training_state",
        "s2s.model.seq2seq._embedding",
        "s2s.model.nothing.Nothing",
        "s2s.model.seq2seq.Nothing",
        "s2s.search.beam.BeamSearch ",
        "",
    ],
)
@pytest.mark.parametrize("nest", [lambda node: node, lambda node: {"inner": [{"deep": node}]}], ids=["top", "nested"])
def test_foreign_names_are_not_built(target, nest):
    node = {"_target_": "s2s.search.beam.BeamSearch", "beam_size": 1}
    node.update(nest({"_target_": target}))
    with pytest.raises(InputError, match=rf"_target_: {re.escape(repr(target))} may not be built; expected"):
        build(OmegaConf.create(node))


def test_no_argument_of_a_foreign_name_is_run(tmp_path):
    proof = tmp_path / "proof"
    node = {
        "_target_": "s2s.search.beam.BeamSearch",
        "_args_": [{"_target_": "os.system", "command": f"touch {proof}"}],
    }
    with pytest.raises(InputError, match="may not be built"):
        build(OmegaConf.create(node))
    assert not proof.exists()


def test_an_option_the_constructor_does_not_take_is_refused():
    with pytest.raises(InputError, match=r"unexpected keyword argument 'width'.*see the files in conf/"):
        build({"_target_": "s2s.search.beam.BeamSearch", "width": 3})


def test_a_value_the_constructor_refuses_keeps_its_message():
    with pytest.raises(InputError, match=r"^beam_size must be 1 or more, got 0"):
        build({"_target_": "s2s.search.beam.BeamSearch", "beam_size": 0})


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


def test_help_goes_to_stdout(in_process):
    assert in_process("translate", "--help") == (0, help_text("translate") + "\n", "")


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
        ("train", "training.tensorboard=maybe", "training.tensorboard=maybe is no value .*; expected true or false"),
        ("train", "training.epochs=all", "training.epochs=all is no value .*; expected a number, such as 10"),
    ],
)
def test_a_word_where_a_number_or_a_truth_belongs_is_refused(command, override, expected):
    with pytest.raises(InputError, match=expected):
        compose(command, [override])
    compose(command, [override.partition("=")[0] + ("=true" if "true" in expected else "=1")])
