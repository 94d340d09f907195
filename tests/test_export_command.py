"""python -m s2s.export, and reading what it has written: the same run, smaller, with a card."""

import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from s2s import Translator
from s2s.errors import InputError
from s2s.hub import fetched
from s2s.run import Run

SENTENCES = ["eins zwei", "", "drei vier fünf", "neun acht sieben sechs", "null"]


@pytest.fixture
def export(in_process, trained, tmp_path):
    """Export the trained run; the folder."""

    def run(*options, name="given"):
        code, _, error = in_process("export", f"run={trained.folder}", f"output={name}", *options)
        assert code == 0, error
        return tmp_path / name

    return run


@pytest.mark.parametrize(("precision", "tolerance"), [("float32", 0), ("float16", 2e-3), ("int8", 0.2)])
def test_what_is_given_away_translates_as_the_run_does(export, trained, precision, tolerance):
    folder = export(f"precision={precision}")
    here, there = (Translator.load(one, device="cpu") for one in (trained, folder))
    for one, other in zip(here(SENTENCES), there(SENTENCES), strict=True):
        assert one.text == other.text
        assert one.log_prob == pytest.approx(other.log_prob, abs=tolerance)


def test_it_is_as_small_as_was_asked_for_and_holds_what_a_user_needs(export, trained):
    sizes = {
        precision: (export(f"precision={precision}", name=precision) / "model.safetensors").stat().st_size
        for precision in ("float32", "float16", "int8")
    }
    assert sizes["float16"] < 0.6 * sizes["float32"]
    assert sizes["int8"] < 0.75 * sizes["float16"]  # whose scales and names weigh more in a toy than elsewhere
    folder = trained.folder.parent / "x"
    names = {path.name for path in (Path.cwd() / "int8").rglob("*")}
    assert names == {
        "config.yaml",
        "README.md",
        "result.json",
        "shortlist.npz",
        "model.safetensors",
        "tokenizer",
        "source.model",
        "target.model",
    }
    assert not folder.exists()


def test_no_path_of_the_machine_goes_with_it(export, digits):
    folder = export()
    for file in ("config.yaml", "README.md", "result.json"):
        assert str(digits) not in (folder / file).read_text("utf-8")


def test_the_card_says_what_it_is_what_it_is_worth_and_how_it_was_made(export):
    card = (export() / "README.md").read_text("utf-8")
    assert card.startswith("---\nlanguage:\n- de\n- en\nlibrary_name: s2s\npipeline_tag: translation\n")
    assert "| BLEU | 0.00 | test | none |" in card
    assert "| optimizer.lr | `0.02` |" in card
    assert 'Translator.from_pretrained("given")' in card
    assert "learnt from sentences of up to 100 pieces" in card


def test_the_card_of_a_language_model_says_so(in_process, language_model, tmp_path):
    code, out, error = in_process("export", f"run={language_model.folder}", "output=lm", "precision=int8")
    assert code == 0, error
    assert out.startswith("exported   lm (0.")
    card = (tmp_path / "lm" / "README.md").read_text("utf-8")
    assert "A recurrent language model, en, trained with s2s on files." in card
    assert "pipeline_tag: text-generation" in card
    code, out, error = in_process("sample", "run=lm", "text=tw", "search=beam", "device=cpu")
    assert (code, out) == (0, "two\n")


def test_it_may_be_exported_again_averaged_over_and_begun_from(in_process, export, small_options):
    export("precision=float16")
    code, _, error = in_process("export", "run=given", "output=again", "precision=int8")
    assert code == 0, error
    code, _, error = in_process(
        "train", "init=again", f"data.path={small_options[-1].split('=')[1]}", "training.steps=1", "name=x"
    )
    assert code == 0, error


MISTAKES = {
    "a folder that is there": (["output=runs"], "runs exists; give another output=, or remove it"),
    "a precision": (["precision=int4"], "precision=int4 is unknown; expected float32, float16, int8"),
    "no name": (["hub=de-en"], "hub=de-en is no name of the hub, expected owner/name"),
}


@pytest.mark.parametrize(("options", "message"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_one_line_and_leaves_nothing_behind(in_process, trained, tmp_path, options, message):
    (tmp_path / "runs").mkdir()
    code, out, error = in_process("export", f"run={trained.folder}", "output=new", *options)
    assert (code, out) == (2, "")
    assert message in error.splitlines()[-1]
    assert [path.name for path in tmp_path.iterdir()] == ["runs"]


def test_a_run_that_has_not_finished_is_not_given_away(in_process, trained, tmp_path):
    shutil.copytree(trained.folder, tmp_path / "run")
    (tmp_path / "run" / "result.json").unlink()
    code, _, error = in_process("export", "run=run")
    assert (code, "run has not finished, so nothing says what it is worth" in error) == (2, True)


def test_whole_numbers_without_a_scale_or_for_what_is_no_matrix_are_refused(export):
    folder = export("precision=int8")
    path, weights = folder / "model.safetensors", load_file(folder / "model.safetensors")
    scale = next(name for name in weights if name.endswith("#scale"))
    without = {name: weight for name, weight in weights.items() if name != scale}
    vector = next(name for name, weight in weights.items() if weight.dtype == torch.float16)
    for spoilt in (
        without,
        weights | {scale: weights[scale][:-1].clone()},
        weights | {vector: weights[vector].to(torch.int8)},
        weights | {"more#scale": torch.ones(2)},
    ):
        save_file(spoilt, path)
        with pytest.raises(InputError, match="does not hold this run's weights"):
            Run(folder).load_model()


def test_a_change_to_a_scale_is_noticed(export):
    folder = export("precision=int8")
    path, content = folder / "model.safetensors", bytearray((folder / "model.safetensors").read_bytes())
    content[-3] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(InputError, match="is damaged: its weights have the checksum"):
        Run(folder).load_model()


class TestHub:
    @pytest.fixture
    def hub(self, monkeypatch, tmp_path):
        """A hub in a folder, which may be out of reach."""
        import huggingface_hub

        place, asked = tmp_path / "hub", []
        monkeypatch.setattr("huggingface_hub.constants.HF_HOME", str(tmp_path / "home"))

        def snapshot_download(name, *, revision, local_dir, allow_patterns):
            asked.append((name, revision))
            if not (place / name).is_dir():
                raise OSError(f"{name} is not there\nnor elsewhere")
            shutil.copytree(place / name, local_dir, dirs_exist_ok=True)

        def upload_folder(*, repo_id, folder_path):
            shutil.copytree(folder_path, place / repo_id)

        monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
        monkeypatch.setattr(
            huggingface_hub, "create_repo", lambda name, *, private, exist_ok: asked.append((name, private))
        )
        monkeypatch.setattr(huggingface_hub, "upload_folder", upload_folder)
        return place, asked

    def test_what_is_sent_is_what_is_fetched(self, hub, in_process, trained, translator):
        code, out, error = in_process("export", f"run={trained.folder}", "output=new", "hub=me/de-en", "private=true")
        assert code == 0, error
        assert out.splitlines()[-1] == "on the hub me/de-en"
        assert hub[1] == [("me/de-en", True)]
        given = Translator.from_pretrained("me/de-en", device="cpu")
        assert [one.text for one in given(SENTENCES)] == [one.text for one in translator(SENTENCES)]
        assert 'from_pretrained("me/de-en")' in (hub[0] / "me/de-en/README.md").read_text("utf-8")

    def test_where_the_hub_is_out_of_reach_what_was_fetched_before_serves(self, hub, export, tmp_path):
        shutil.copytree(export(), hub[0] / "me/x")
        first = fetched("me/x", revision="v1")
        shutil.rmtree(hub[0])
        assert fetched("me/x", revision="v1") == first
        with pytest.raises(
            InputError, match=r"me/x cannot be fetched from the hub \(me/x is not there\); give a folder"
        ):
            fetched("me/x")

    def test_a_folder_goes_before_a_name(self, hub, export, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        (tmp_path / "me").mkdir()
        export(name="me/x")
        assert Translator.from_pretrained("me/x", device="cpu").model
        assert hub[1] == []

    @pytest.mark.parametrize("name", ["nowhere", "a/b/c", "../x", ""])
    def test_what_is_no_name_is_refused(self, hub, name):
        with pytest.raises(InputError, match="is no name of the hub, expected owner/name; correct it"):
            fetched(name)

    def test_a_hub_that_refuses_is_one_line(self, hub, in_process, trained, monkeypatch):
        import huggingface_hub

        def refuse(*_, **__):
            raise ValueError("nobody is logged in\nat all")

        monkeypatch.setattr(huggingface_hub, "upload_folder", refuse)
        code, _, error = in_process("export", f"run={trained.folder}", "output=new", "hub=me/x")
        assert code == 2
        assert error.splitlines()[-1] == (
            "error: hub=me/x does not take it (nobody is logged in); log in with `hf auth login`, or check the name"
        )
