"""What a configuration may name, and that no stranger's code is run."""

import re

import pytest
from omegaconf import OmegaConf

from s2s.building import build
from s2s.config import compose
from s2s.errors import InputError
from s2s.search.beam import BeamSearch
from s2s.text.corpus import Corpus


def test_a_configuration_node_becomes_its_object():
    search = build(compose("train", ["search.beam_size=2"]).search, "search")
    assert search == BeamSearch(beam_size=2)
    assert isinstance(build(compose("train", []).data, "data"), Corpus)


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
        build(OmegaConf.create(node), "search")


def test_no_argument_of_a_foreign_name_is_run(tmp_path):
    proof = tmp_path / "proof"
    node = {
        "_target_": "s2s.search.beam.BeamSearch",
        "_args_": [{"_target_": "os.system", "command": f"touch {proof}"}],
    }
    with pytest.raises(InputError, match="may not be built"):
        build(OmegaConf.create(node), "search")
    assert not proof.exists()


def test_an_option_the_constructor_does_not_take_is_refused():
    with pytest.raises(InputError, match=r"unexpected keyword argument 'width'.*see the files in conf/"):
        build({"_target_": "s2s.search.beam.BeamSearch", "width": 3}, "search")


def test_a_value_the_constructor_refuses_keeps_its_message():
    with pytest.raises(InputError, match=r"^beam_size must be 1 or more, got 0"):
        build({"_target_": "s2s.search.beam.BeamSearch", "beam_size": 0}, "search")
