"""The corpus loader: every layout gives the same pairs, and every mistake gives one line that says what to do."""

import gzip
import json
import os
from pathlib import Path

import datasets
import pytest

from s2s.errors import InputError
from s2s.text.corpus import Corpus
from s2s.text.reading import read_lines

SHARED = Path(__file__).parents[3] / "shared" / "data"
PAIRS = [("Schöne Grüße!", "你好，世界。"), ("", ""), ("Wie geht’s dir?", "你 好 吗？")]
SOURCES, TARGETS = [source for source, _ in PAIRS], [target for _, target in PAIRS]


@pytest.fixture(autouse=True)
def private_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path_factory.mktemp("cache"))


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "corpus").mkdir()
    return tmp_path / "corpus"


def corpus(path=None, source="de", target="zh", **fields):
    return Corpus(source=source, target=target, label="tiny", path=None if path is None else str(path), **fields)


def write(path, content):
    data = content if isinstance(content, bytes) else content.encode()
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def write_text(folder, split="train", gz="", sources=SOURCES, targets=TARGETS):
    write(folder / f"{split}.de{gz}", "".join(f"{line}\n" for line in sources))
    write(folder / f"{split}.zh{gz}", "".join(f"{line}\n" for line in targets))


def flat_rows(**more):
    return [{"id": 7, "zh": target, "de": source, **more} for source, target in PAIRS]


def nested_rows():
    return [{"translation": row} for row in flat_rows()]


def arrow(rows):
    return datasets.Dataset.from_list(rows)


def pairs(dataset):
    assert dataset.column_names == ["source", "target"]
    assert dataset.format["type"] is None
    assert [feature.dtype for feature in dataset.features.values()] == ["string", "string"]
    return list(zip(dataset["source"], dataset["target"], strict=True))


def json_lines(rows):
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def refuses(match, path=None, split="train", **fields):
    with pytest.raises(InputError, match=match) as caught:
        corpus(path, **fields).load(split)
    assert "\n" not in str(caught.value)
    assert ";" in str(caught.value), "no remedy"


@pytest.mark.parametrize("gz", ["", ".gz"])
def test_two_text_files_are_pairs_by_line_and_a_blank_line_stays(folder, gz):
    write_text(folder, gz=gz)
    assert pairs(corpus(folder).load("train")) == PAIRS


@pytest.mark.parametrize("gz", ["", ".gz"])
@pytest.mark.parametrize(
    ("header", "row"),
    [("", "{0}\t{1}"), ("de\tzh\n", "{0}\t{1}"), ("zh\tde\n", "{1}\t{0}"), ("id\tzh\tnote\tde\n", '7\t{1}\t"\t{0}')],
)
def test_a_tsv_is_read_with_and_without_header(folder, gz, header, row):
    write(folder / f"train.tsv{gz}", header + "".join(row.format(*pair) + "\n" for pair in PAIRS))
    assert pairs(corpus(folder).load("train")) == PAIRS


@pytest.mark.parametrize("name", ["train.jsonl", "train.json", "train.jsonl.gz", "data/train.json.gz"])
@pytest.mark.parametrize("rows", [flat_rows(), nested_rows()], ids=["flat", "nested"])
def test_json_lines_are_read_flat_and_nested(folder, name, rows):
    write(folder / name, json_lines(rows))
    assert pairs(corpus(folder).load("train")) == PAIRS


@pytest.mark.parametrize("place", [".", "data", "odd [1] *"])
@pytest.mark.parametrize("rows", [flat_rows(), nested_rows()], ids=["flat", "nested"])
def test_parquet_is_read_flat_and_nested(folder, place, rows):
    (folder / place).mkdir(exist_ok=True)
    arrow(rows).to_parquet(folder / place / "train.parquet")
    assert pairs(corpus(folder if place == "data" else folder / place).load("train")) == PAIRS


def test_shards_of_parquet_are_joined_in_their_order(folder):
    for number, row in enumerate(flat_rows()):
        arrow([row]).to_parquet(folder / f"train-{number:05}-of-00003.parquet")
    assert pairs(corpus(folder).load("train")) == PAIRS
    assert corpus(folder).splits() == ["train"]


def test_a_missing_shard_is_named_by_count(folder):
    arrow(flat_rows()).to_parquet(folder / "train-00000-of-00003.parquet")
    refuses("holds 1 shards .*expected 3", folder)


@pytest.mark.parametrize("rows", [flat_rows(), nested_rows()], ids=["flat", "nested"])
def test_a_saved_dataset_is_loaded(folder, rows):
    arrow(rows).with_format("numpy").save_to_disk(folder / "one")
    assert corpus(folder / "one").splits() == ["train"]
    assert pairs(corpus(folder / "one").load("train")) == PAIRS


def test_the_splits_of_a_saved_dictionary_are_found(folder):
    datasets.DatasetDict({"train": arrow(nested_rows()), "dev": arrow(flat_rows()[:1])}).save_to_disk(folder)
    assert corpus(folder).splits() == ["train", "valid"]
    assert pairs(corpus(folder).load("train")) == PAIRS
    assert pairs(corpus(folder).load("valid")) == PAIRS[:1]


def test_large_strings_become_strings_and_one_language_may_stand_on_both_sides(folder):
    rows = arrow(flat_rows()).cast_column("de", datasets.Value("large_string"))
    rows.to_parquet(folder / "train.parquet")
    assert pairs(corpus(folder).load("train")) == PAIRS
    assert pairs(corpus(folder, target="de").load("train")) == list(zip(SOURCES, SOURCES, strict=True))


def test_a_hub_name_is_loaded_with_its_config_and_revision(monkeypatch):
    asked = []

    def load_dataset(name, config, revision):
        asked.append((name, config, revision))
        return datasets.DatasetDict({"train": arrow(nested_rows()), "validation": arrow(flat_rows())})

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    hub = corpus(name="owner/pairs", config="de-zh", revision="abc")
    assert pairs(hub.load("valid")) == PAIRS
    assert hub.splits() == ["train", "valid"]
    assert set(asked) == {("owner/pairs", "de-zh", "abc")}


def test_a_local_folder_stands_in_for_the_hub(folder, monkeypatch):
    monkeypatch.setattr(datasets, "load_dataset", None)
    write(folder / "dataset_infos.json", "{}")
    write_text(folder, sources=SOURCES[:1], targets=TARGETS[:1])
    assert pairs(corpus(folder, name="owner/pairs", config="de-zh").load("train")) == PAIRS[:1]
    write(folder / "de-zh" / "train.jsonl", json_lines(flat_rows()))
    assert pairs(corpus(folder, name="owner/pairs", config="de-zh").load("train")) == PAIRS
    assert corpus(folder, name="owner/pairs").splits() == ["train"]


def test_a_hub_that_cannot_be_reached_points_to_a_local_copy(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    refuses(r"data.name=nobody/nothing .*cannot be loaded.*data.path=", name="nobody/nothing")


@pytest.mark.parametrize("name", ["csv", "pandas", "/etc/passwd", "../a/b", "a/b/c", "https://x/y", "a/b"])
def test_a_name_that_could_lead_elsewhere_than_to_the_hub_is_refused(name, tmp_path, monkeypatch):
    monkeypatch.setattr(datasets, "load_dataset", None)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a" / "b").mkdir(parents=True)  # a folder would be read in place of a name
    refuses(rf"data.name={name} is no name of the hub, expected owner/name; .* set data.path=FOLDER", name=name)


@pytest.mark.parametrize("asked", ["valid", "validation", "val", "dev"])
@pytest.mark.parametrize("kept", ["valid", "validation", "val", "dev"])
def test_synonyms_of_a_split_are_understood(folder, asked, kept):
    write_text(folder, split=kept)
    write_text(folder, split="test_unseen", sources=["a"], targets=["b"])
    assert corpus(folder).splits() == ["valid", "test_unseen"]
    assert pairs(corpus(folder).load(asked)) == PAIRS
    assert pairs(corpus(folder).load("test_unseen")) == [("a", "b")]


def test_a_split_of_the_same_name_goes_before_its_synonyms(folder):
    write_text(folder, split="eval", sources=["a"], targets=["b"])
    write_text(folder, split="test")
    assert corpus(folder).splits() == ["test", "eval"]
    assert pairs(corpus(folder).load("test")) == PAIRS
    assert pairs(corpus(folder).load("eval")) == [("a", "b")]
    refuses("could be eval or test", folder, split="testing")


def test_explicit_files_go_before_those_found(folder, tmp_path):
    write_text(folder, split="dev", sources=["a"], targets=["b"])
    write_text(folder, split="mine")
    table = write(tmp_path / "other.tsv", "x\ty\n")
    given = corpus(folder, valid=["mine.de", "mine.zh"], train=str(table))
    assert given.splits() == ["train", "valid", "mine"]
    assert pairs(given.load("dev")) == PAIRS
    assert pairs(given.load("train")) == [("x", "y")]
    assert pairs(corpus(train=str(table)).load("train")) == [("x", "y")]


def test_one_file_is_the_split_its_name_says_or_else_train(folder):
    assert corpus(write(folder / "test.tsv", "a\tb\n")).splits() == ["test"]
    assert pairs(corpus(write(folder / "pairs.tsv", "a\tb\n")).load("train")) == [("a", "b")]


def test_lines_end_at_line_feeds_only(folder):
    inside = "a\u2028b\x0bc\rd\x85e"
    path = write(folder / "odd", f"\ufeff{inside}\r\n\ufeffx\n\n last\r")
    assert list(read_lines(path)) == [inside, "\ufeffx", "", " last\r"]
    write_text(folder, sources=[inside], targets=[" \u3000 "])
    assert pairs(corpus(folder).load("train")) == [(inside, " \u3000 ")]


@pytest.mark.parametrize("name", ["plain", "zipped.gz"])
@pytest.mark.parametrize(
    ("content", "lines"), [("", []), ("\ufeff", []), ("\n", [""]), ("\ufeff\n", [""]), ("a\nb", ["a", "b"])]
)
def test_the_end_of_a_file_adds_no_line(folder, name, content, lines):
    assert list(read_lines(str(write(folder / name, content)))) == lines


@pytest.mark.parametrize("suffix", ["tsv", "jsonl"])
def test_a_mark_at_the_start_does_not_hide_the_header_or_the_first_row(folder, suffix):
    content = "de\tzh\r\na\tb\r\n" if suffix == "tsv" else '{"de": "a", "zh": "b"}\r\n'
    write(folder / f"train.{suffix}", "\ufeff" + content)
    assert pairs(corpus(folder).load("train")) == [("a", "b")]


def test_a_changed_file_is_read_again(folder):
    path = write(folder / "train.tsv", "old\tx\n")
    before = path.stat()
    assert pairs(corpus(folder).load("train")) == [("old", "x")]
    write(path, "new\tx\n")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    assert pairs(corpus(folder).load("train")) == [("new", "x")]
    write(path, "longer\tx\n")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    assert pairs(corpus(folder).load("train")) == [("longer", "x")]


def test_a_changed_parquet_file_is_read_again(folder):
    for text in ("old", "new"):
        arrow([{"de": text, "zh": "x"}]).to_parquet(folder / "train.parquet")
        os.utime(folder / "train.parquet", (len(text), 1000 + ord(text[0])))
        assert pairs(corpus(folder).load("train")) == [(text, "x")]


def test_equal_relative_paths_in_two_folders_are_two_files(folder, monkeypatch):
    for name in ("one", "two"):
        path = write(folder / name / "train.tsv", f"{name}\tx\n")
        os.utime(path, (1, 1))
        monkeypatch.chdir(folder / name)
        assert pairs(corpus(".").load("train")) == [(name, "x")]


def test_loading_prints_nothing_and_leaves_nothing_behind(folder, monkeypatch, capfd):
    write_text(folder)
    monkeypatch.chdir(folder)
    corpus(".").load("train")
    assert capfd.readouterr().out == ""
    assert sorted(path.name for path in folder.iterdir()) == ["train.de", "train.zh"]


def test_a_file_may_be_mended_after_an_error(folder):
    write(folder / "train.tsv", "a\n")
    refuses("line 1: 1 cells", folder)
    write(folder / "train.tsv", "a\tb\n")
    assert pairs(corpus(folder).load("train")) == [("a", "b")]


BAD_FILES = {
    "counts": ({"train.de": "a\nb\nc\n", "train.zh": "x\n"}, r'train.de has 3 lines .*train.zh has 1,.*line 2 .*"b"'),
    "counts_reversed": ({"train.de": "a\n", "train.zh": "x\ny\n"}, r'train.zh has 2 lines .*train.de has 1,.*"y"'),
    "no_utf8": ({"train.de": b"gut\nsch\xf6n\n", "train.zh": "a\nb\n"}, "de, line 2: byte 0xf6 at offset 7 .*iconv"),
    "no_pairs": ({"train.de": "", "train.zh": ""}, "train.de .* no pairs"),
    "only_a_header": ({"train.tsv": "de\tzh\n"}, "train.tsv: no pairs"),
    "cells": ({"train.tsv": "a\tb\na\tb\tc\n"}, r"train.tsv, line 2: 3 cells, expected 2: .*tab"),
    "blank_row": ({"train.tsv": "a\tb\n\n"}, "train.tsv, line 2: 1 cells, expected 2"),
    "columns_unnamed": ({"train.tsv": "id\tde\ten\n"}, r"line 1: 3 cells, expected 2 \(or a header .*de and zh"),
    "no_json": ({"train.jsonl": '{"de": "a", "zh": "b"}\n{"de": \n'}, "train.jsonl, line 2: not JSON"),
    "blank_json": ({"train.json": '{"de": "a", "zh": "b"}\n\n'}, "train.json, line 2: not JSON"),
    "deep_json": ({"train.json": "[" * 200_000}, "train.json, line 1: not JSON"),
    "no_object": ({"train.jsonl": '["a", "b"]\n'}, "train.jsonl, line 1: .* no object"),
    "no_column": ({"train.jsonl": '{"de": "a", "en": "b"}\n'}, "line 1: no column 'zh'.*columns: de, en"),
    "no_language": ({"train.jsonl": '{"translation": {"de": "a"}}\n'}, "line 1, translation: no column 'zh'.*: de;"),
    "null": ({"train.jsonl": '{"de": "a", "zh": null}\n'}, "line 1: column 'zh' is null"),
    "number": ({"train.jsonl": '{"de": "a", "zh": "b"}\n{"de": 5, "zh": "b"}\n'}, "line 2: column 'de' is 5"),
    "surrogate": ({"train.jsonl": '{"de": "\\ud83d", "zh": "b"}\n'}, "line 1: column 'de' is .*ud83d.*characters"),
    "no_parquet": ({"train.parquet": "hello"}, "train.parquet: cannot be read .*Parquet"),
    "no_gzip": ({"train.tsv.gz": b""}, "train.tsv.gz: no pairs"),
    "one_side": ({"train.de": "a\n"}, r"no split 'train'.*splits: none; add train.de \+ train.zh.* holds: train.de$"),
    "two_forms": ({"train.tsv": "a\tb\n", "train.jsonl": "{}"}, r"could be train.jsonl or train.tsv"),
    "two_zips": (
        {"train.de": "a\n", "train.zh": "b", "train.de.gz": "a"},
        r"could be train.de\+train.zh or train.de.gz",
    ),
    "other_split": (
        {"test.tsv": "a\tb\n", "x.tsv": ""},
        "no split 'train' .*splits: test, x; .*holds: test.tsv, x.tsv",
    ),
    "folder_as_text": ({"data/train.tsv/x": ""}, "no split 'train'"),
}


@pytest.mark.parametrize(("files", "match"), BAD_FILES.values(), ids=BAD_FILES)
def test_a_bad_file_is_refused_with_its_name_and_line(folder, files, match):
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write(folder / name, content)
    refuses(match, folder)


@pytest.mark.parametrize(
    "damage", [lambda data: data[:-9], lambda data: b"plain", lambda data: data[:12] + b"\xff" * 30]
)
def test_a_damaged_gzip_file_is_refused(folder, damage):
    (folder / "train.tsv.gz").write_bytes(damage(gzip.compress(b"a\tb\n" * 9)))
    refuses("train.tsv.gz: cannot be read .*gzip", folder)


BAD_ROWS = {
    "no_column": ([{"de": "a", "en": "b"}], "no column 'zh'.*columns: de, en"),
    "no_language": ([{"translation": {"de": "a", "en": "b"}}], "translation: no column 'zh'.*columns: de, en"),
    "null": ([*flat_rows(), {"de": None, "zh": "b"}], "row 4: column 'de' is null"),
    "no_translation": ([*nested_rows(), {"translation": None}], "row 4: column 'de' is null"),
    "number": ([{"de": "a", "zh": 5}], "column 'zh' holds int64"),
    "list": ([{"de": ["a"], "zh": "b"}], "column 'de' holds .*expected string"),
    "empty": ([], "no pairs"),
}


@pytest.mark.parametrize(("rows", "match"), BAD_ROWS.values(), ids=BAD_ROWS)
@pytest.mark.parametrize("form", ["parquet", "saved"])
def test_a_bad_column_is_refused_with_its_place(folder, form, rows, match):
    dataset = arrow(rows) if rows else arrow(flat_rows()).select([])
    if form == "parquet":
        dataset.to_parquet(folder / "train.parquet")
    else:
        dataset.save_to_disk(folder / "train")
    refuses(f"train.*{match}", folder)


def test_a_saved_folder_without_its_parts_is_refused(folder):
    arrow(flat_rows()).save_to_disk(folder / "train")
    next((folder / "train").glob("*.arrow")).unlink()
    refuses("train: cannot be opened .*save_to_disk", folder)
    write(folder / "train" / "state.json", "{")
    refuses("state.json: not JSON", folder)


def test_a_path_that_is_not_there_shows_what_is(folder):
    write(folder / "near", "")
    refuses(r"data.path: .*far/away does not exist.* holds: near;", folder / "far" / "away")
    refuses(r"data.train: .*none.tsv does not exist.* holds: near;", folder, train="none.tsv")
    refuses(r"near is a file, expected .tsv", folder / "near")
    with pytest.raises(InputError, match=r"file: .*far does not exist.* holds: near;"):
        list(read_lines(folder / "far"))
    with pytest.raises(InputError, match=r"corpus: cannot be read .*a text file"):
        list(read_lines(folder))


@pytest.mark.parametrize("given", ["one.txt", [], ["a.de"], ["a.tsv", "b.tsv"], ["a.de", "b.de", "c.de"]])
def test_explicit_files_must_be_a_table_or_two_texts(folder, given):
    refuses(r"data.valid=.* neither one file ending in .*nor two", folder, split="dev", valid=given)


def test_a_limit_takes_the_first_pairs_and_links_of_training_alone(folder):
    for split in ("train", "test"):
        write_text(folder, split)
        write(folder / f"{split}.de-zh.align", "0-0\n\n1-1\n")
    limited = corpus(folder, limit=2)
    assert pairs(limited.load("train")) == PAIRS[:2]
    assert limited.alignments("train") == ["0-0", ""]
    assert pairs(limited.load("test")) == PAIRS
    assert limited.alignments("test") == ["0-0", "", "1-1"]
    assert pairs(corpus(folder, limit=9).load("train")) == PAIRS


def test_a_limit_that_leaves_nothing_is_refused(folder):
    write_text(folder)
    refuses("data.limit=0 leaves no pair to train on; give 1 or more, or null for all", folder, limit=0)


def test_a_corpus_from_nowhere_is_refused():
    refuses("data.path and data.name are both missing")
    with pytest.raises(InputError, match="both missing"):
        corpus().splits()


@pytest.mark.skipif(not (SHARED / "multi30k").is_dir(), reason="../shared/data/multi30k is not there")
def test_multi30k_is_loaded_whole():
    multi30k = corpus(SHARED / "multi30k", target="en")
    assert multi30k.splits() == ["train", "valid", "test"]
    train = multi30k.load("train")
    assert len(train) == 29_000
    assert train[0]["target"].split()[0] == "Two"
    assert len(multi30k.load("valid")) == 1_014


@pytest.mark.skipif(not (SHARED / "tatoeba-zh-en").is_dir(), reason="../shared/data/tatoeba-zh-en is not there")
def test_tatoeba_is_loaded_whole():
    train = corpus(SHARED / "tatoeba-zh-en", source="zh", target="en").load("train")
    assert len(train) == 26_187
    assert train[0] == {"source": "湯姆買 了 箇 手機 。", "target": "Tom bought a mobile phone."}
