"""One side of a corpus: the same lines wherever they lie, whether or not there is another side."""

import json

import pytest
from omegaconf import OmegaConf

from s2s.errors import InputError
from s2s.text.corpus import Corpus
from s2s.text.one_side import OneSide

LINES = ["我们 走。", "", "grün ist gut"]


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "corpus").mkdir()
    return tmp_path / "corpus"


def write(path, lines=LINES):
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def side(folder, **options):
    return OneSide(Corpus(**{"source": "de", "target": "en", "label": "x", "path": str(folder), **options}))


def lines(dataset):
    assert set(dataset.column_names) == {"source", "target"}
    assert set(dataset["source"]) == {""}
    return list(dataset["target"])


def test_a_text_file_alone_will_do(folder):
    write(folder / "train.en")
    assert side(folder).splits() == ["train"]
    assert lines(side(folder).load("train")) == LINES


def test_beside_another_side_it_is_the_target(folder):
    write(folder / "train.en")
    write(folder / "train.de", ["a", "b", "c", "d"])  # which no pair could be made of
    assert lines(side(folder).load("train")) == LINES


@pytest.mark.parametrize("form", ["jsonl", "tsv"])
def test_of_a_table_it_is_the_target_column(folder, form):
    rows = [{"de": f"s{number}", "en": line} for number, line in enumerate(LINES)]
    content = (
        [json.dumps(row) for row in rows] if form == "jsonl" else ["de\ten", *("\t".join(row.values()) for row in rows)]
    )
    write(folder / f"train.{form}", content)
    assert lines(side(folder).load("train")) == LINES


def test_of_two_files_that_are_named_it_is_the_second(folder):
    write(folder / "a")
    write(folder / "b", ["1", "2", "3"])
    assert lines(side(folder, train=["a", "b"]).load("train")) == ["1", "2", "3"]


def test_one_file_that_is_named_will_do_and_so_will_several_where_there_is_one_language(folder):
    write(folder / "a.txt")
    write(folder / "b.txt", ["more"])
    assert lines(side(folder, train="a.txt").load("train")) == LINES
    text = {"source": "txt", "target": "txt"}
    assert lines(side(folder, **text, train=["a.txt", "b.txt", "a.txt"]).load("train")) == [*LINES, "more", *LINES]
    assert lines(side(folder, **text, train=["a.txt", "b.txt"], limit=4).load("train")) == [*LINES, "more"]
    as_composed = OmegaConf.create(["a.txt", "b.txt"])
    assert lines(side(folder, **text, train=as_composed).load("train")) == [*LINES, "more"]


def test_a_limit_is_of_training_lines_alone(folder):
    write(folder / "train.en")
    write(folder / "valid.en")
    assert lines(side(folder, limit=1).load("train")) == LINES[:1]
    assert lines(side(folder, limit=1).load("valid")) == LINES


def test_extra_text_is_one_file_and_has_no_tag(folder, monkeypatch):
    write(folder / "train.en")
    write(folder / "more.en", ["more"])
    assert side(folder).load_extra() is None
    monkeypatch.chdir(folder)
    assert lines(side(folder, extra="more.en", extra_tag="__bt__").load_extra()) == ["more"]


def test_a_file_that_is_not_there_is_named(folder):
    with pytest.raises(InputError, match=r"data.train: .*nowhere.txt does not exist"):
        side(folder, train="nowhere.txt").load("train")
