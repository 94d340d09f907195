"""The run folder: made, found, read back, and refused where it is not whole."""

import os

import pytest
import torch
from omegaconf import OmegaConf
from safetensors.torch import load_file, save_file

from s2s.config import compose
from s2s.errors import InputError
from s2s.run import Run, pick_device
from s2s.run_format import PARTS
from s2s.text.tokenizer import TokenizerRecipe

CONFIG = OmegaConf.create({**{name: {} for name in PARTS}, "seed": 1})


@pytest.fixture
def copy(trained, tmp_path):
    """A copy of the trained run that may be damaged."""
    import shutil

    return Run(shutil.copytree(trained.folder, tmp_path / "copy"))


def test_a_second_run_of_the_same_name_is_numbered(tmp_path):
    names = [Run.create(tmp_path / "runs", "x", CONFIG, exact=False).folder.name for _ in range(3)]
    assert names == ["x", "x-2", "x-3"]


def test_a_name_that_was_asked_for_is_not_numbered(tmp_path):
    Run.create(tmp_path, "x", CONFIG, exact=True)
    with pytest.raises(InputError, match=r"x exists; give another name=, or resume="):
        Run.create(tmp_path, "x", CONFIG, exact=True)


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"x cannot be made .*give another runs_dir="):
        Run.create(tmp_path / "file", "x", CONFIG, exact=True)


def test_a_folder_comes_with_its_configuration_or_not_at_all(tmp_path, monkeypatch):
    class KilledError(BaseException):
        pass

    def killed(*_):
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", killed)
        with pytest.raises(KilledError):
            Run.create(tmp_path, "x", CONFIG, exact=True)
    assert not (tmp_path / "x").exists()
    assert Run.create(tmp_path, "x", CONFIG, exact=True).folder == tmp_path / "x"
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_weights_that_changed_on_the_disk_are_refused(copy):
    content = bytearray(copy.weights.read_bytes())
    content[-3] ^= 1
    copy.weights.write_bytes(bytes(content))
    with pytest.raises(InputError, match=r"is damaged: its weights have the checksum \w{16}, and had \w{16} when they"):
        copy.load_model()


def test_weights_without_a_checksum_are_taken_as_they_are(copy):
    save_file(load_file(copy.weights), copy.weights)
    copy.load_model()


def test_a_record_that_was_never_written_whole_is_left_out(copy):
    copy.metrics.write_text('{"updates": 1}\n{"updates": 2', encoding="utf-8")
    assert list(copy.records()) == [{"updates": 1}]


def test_the_newest_finished_run_is_found(tmp_path):
    runs = [Run.create(tmp_path, name, CONFIG, exact=True) for name in ("a", "b", "c")]
    for age, run in ((20, runs[0]), (30, runs[1])):
        run.finish({})
        os.utime(run.result, (1_000_000 - age, 1_000_000 - age))
    assert Run.find(None, tmp_path).folder == runs[0].folder
    assert Run.find(str(runs[2].folder), tmp_path).folder == runs[2].folder


def test_without_a_finished_run_the_error_says_how_to_train_one(tmp_path):
    Run.create(tmp_path, "unfinished", CONFIG, exact=True)
    with pytest.raises(InputError, match=r"no finished run in .*; train one with `python -m s2s.train`"):
        Run.find(None, tmp_path)


def test_a_folder_without_configuration_is_no_run(tmp_path):
    with pytest.raises(InputError, match=r"is no run: it has no config\.yaml; train one"):
        Run(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a: [1, 2", r"config\.yaml cannot be read .*copy the run folder again"),
        (b"a: \xff\xfe", r"config\.yaml cannot be read"),
        (b"- a\n- b\n", r"config\.yaml is no run's configuration: it has no options"),
        (b"", r"config\.yaml is no run's configuration"),
        (b"model: {}\n", r"config\.yaml is no run's configuration"),
    ],
)
def test_a_damaged_configuration_is_refused(tmp_path, content, message):
    (tmp_path / "config.yaml").write_bytes(content)
    with pytest.raises(InputError, match=message):
        Run(tmp_path)


def test_a_model_that_is_no_model_is_refused(copy):
    copy.config.model = {"_target_": "s2s.search.beam.BeamSearch"}
    with pytest.raises(InputError, match=r"BeamSearch' may not be built; expected one of those of model: .*seq2seq"):
        copy.build_model()
    copy.config.model = None
    with pytest.raises(InputError, match="model is a NoneType, expected build_seq2seq"):
        copy.build_model()


def test_a_run_that_names_foreign_code_is_refused(copy):
    copy.config.model.rnn._target_ = "os.system"
    with pytest.raises(InputError, match=r"'os\.system' may not be built"):
        copy.load_model()


def test_a_run_without_weights_is_refused(copy):
    copy.weights.unlink()
    with pytest.raises(InputError, match="has no weights yet; let it train to its first validation"):
        copy.load_model()


@pytest.mark.parametrize("keep", [0, 5, -100])
def test_damaged_weights_are_refused(copy, keep):
    copy.weights.write_bytes(copy.weights.read_bytes()[:keep])
    with pytest.raises(InputError, match=r"does not hold this run's weights .*; copy it again"):
        copy.load_model()


def test_weights_of_another_model_are_refused(copy):
    copy.config.model.hidden_size = 8
    with pytest.raises(InputError, match="does not hold this run's weights"):
        copy.load_model()


def test_a_missing_tokenizer_is_refused(copy):
    (copy.folder / "tokenizer" / "target.model").unlink()
    with pytest.raises(InputError, match=r"no tokenizer at .*target\.model.*is the run folder complete"):
        copy.tokenizers()


def test_a_damaged_tokenizer_is_refused(copy):
    (copy.folder / "tokenizer" / "source.model").write_bytes(b"nonsense")
    with pytest.raises(InputError, match=r"not a SentencePiece model"):
        copy.tokenizers()


def test_damaged_metrics_are_refused(copy):
    copy.metrics.write_text('{"updates": 1}\n{"upda\n', encoding="utf-8")
    with pytest.raises(InputError, match=r"metrics\.jsonl, line 2 is no JSON: '\{\"upda'; remove it"):
        list(copy.records())


@pytest.mark.parametrize("tied", ["false", "true"])
def test_weights_come_back_as_they_were_saved(copy, tied):
    options = [f"model.share_embeddings={tied}", f"model.tie_readout={tied}", "sizes.hidden=16", "sizes.embedding=16"]
    config = compose("train", options)
    OmegaConf.resolve(config)
    copy.config.model = config.model
    model = copy.build_model()
    copy.save_weights(model)
    loaded = copy.load_model()
    saved, read = model.state_dict(), loaded.state_dict()
    assert saved.keys() == read.keys()
    assert all(torch.equal(saved[name], read[name]) for name in saved)
    assert (loaded.readout.weight is loaded.embedding.weight) == (tied == "true")
    assert not loaded.training


def test_one_embedding_for_two_tokenizers_is_refused(copy):
    copy.config.model.share_embeddings = True
    copy.build_model()
    size = len(copy.tokenizers()[0])
    letters = "".join(
        chr(0x4E00 + number) for number in range(size - 5)
    )  # beside the four special pieces and the blank
    target = TokenizerRecipe(algorithm="char", vocabulary_size=size).train([letters])
    assert len(target) == size
    target.save(copy.folder / "tokenizer" / "target.model")
    with pytest.raises(InputError, match=r"share_embeddings=true needs one tokenizer .*; set tokenizer\.joint=true"):
        copy.build_model()


def test_saved_weights_replace_the_old_ones_whole(copy):
    copy.save_weights(copy.build_model())
    assert not list(copy.folder.glob("*.partial"))


def test_a_device_that_is_not_there_is_refused():
    for name in ("cuda:99", "toaster"):
        with pytest.raises(InputError, match=rf"device={name} cannot be used here .*; try device=cpu"):
            pick_device(name)


def test_the_device_asked_for_is_taken():
    assert pick_device("cpu") == torch.device("cpu")
