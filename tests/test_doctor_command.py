"""python -m s2s.doctor: a look at a corpus before training."""

import json
import re

import datasets
import pytest
from ill_corpora import SOUND, german_chinese, write_corpus

from s2s.config import help_text
from s2s.errors import InputError
from s2s.report.diagnosis import TITLES
from s2s.text.findings import CONDEMNING
from s2s.training.data import split_pairs

DATA = ("data=files", "data.path=corpus", "data.source=de", "data.target=zh")


@pytest.fixture(autouse=True)
def private_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path_factory.mktemp("cache"))


@pytest.fixture
def ill(tmp_path):
    more = [("", "这里很美。"), (b"Sch\xf6n", "美"), SOUND["train"][0], SOUND["test"][0]]
    return write_corpus(tmp_path / "corpus", train=more, ending="\r\n")


def test_the_sample_is_sound(in_process):
    code, out, error = in_process("doctor")
    others = "held_out, minimal_pairs.de, minimal_pairs.en, minimal_pairs.zh, supply"
    assert (code, error) == (0, f"not looked at: {others}; data.test=FILE looks at one of them\n")
    assert "no findings" in out
    assert re.search(r"^train +20,000 +40.2 +Latin 100.0 % +34.5 +Latin 100.0 %$", out, re.MULTILINE)
    assert re.search(r"^test_unseen +in train +0 +0 +0$", out, re.MULTILINE)


def test_findings_are_no_error_and_stdout_holds_the_report_alone(s2s, ill):
    result = s2s("doctor", *DATA)
    assert (result.returncode, result.stderr) == (0, b"")
    assert result.stdout.decode().startswith("files, de to zh")


def test_json_has_the_figures_of_the_tables(in_process, ill):
    code, out, error = in_process("doctor", *DATA, "format=json")
    assert (code, error) == (0, "")
    record = json.loads(out)
    _, table, _ = in_process("doctor", *DATA)
    for split in record["splits"]:
        assert re.search(rf"^{split['split']} +{split['pairs']:,} ", table, re.MULTILINE)
    assert len(record["findings"]) > 8
    for one in record["findings"]:
        name, _, other = one["finding"].partition("_in_")
        file = f": {one['file']}" if "file" in one else ""
        title = re.escape(TITLES[name].format(other) + file)
        assert re.search(rf"^{one['split']} +{one['count']:,} +{title}$", table, re.MULTILINE)
        for example in one["first"]:
            assert re.search(rf"^ +{example['line']}\b.*{re.escape(example.get('source', ''))}", table, re.MULTILINE)
    for one in record["overlap"]:
        counts = " +".join(str(one[what]) for what in ("pairs", "sources", "targets"))
        assert re.search(rf"^{one['split']} +in {one['with']} +{counts}$", table, re.MULTILINE)
    assert record["clean"]["splits"][0] == {
        "split": "train",
        "kept": 9,
        "left_out": {"not_utf8": 1, "empty": 1, "duplicate": 1, "overlap": 1},
        "unwritten": None,
    }
    assert re.search(
        "^train +9 +4 +1 not UTF-8\n +1 empty side\n +1 pair seen before\n +1 source is in", table, re.MULTILINE
    )


def test_every_finding_has_a_title():
    assert set(CONDEMNING) < set(TITLES)


def test_training_reads_the_clean_copy_where_it_refuses_the_corpus(in_process, ill):
    with pytest.raises(InputError, match="is not UTF-8"):
        german_chinese(ill).load("train")
    code, out, error = in_process("doctor", *DATA, "clean=clean")
    assert (code, error) == (0, "")
    assert "copy in clean" in out
    train, valid = split_pairs(german_chinese(ill.parent / "clean"), print)
    assert list(train["source"]) == [source for source, _ in SOUND["train"]]
    assert list(valid["target"]) == [target for _, target in SOUND["valid"]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["format=xml"], "format=xml is unknown; expected text or json"),
        (["data=files"], "data.source is not set; give data.source=… on the command line"),
        (["data=file"], "data=file is unknown, did you mean files?; data is one of files, hub, multi30k, sample"),
        (["data.path=nowhere"], "data.path: nowhere does not exist"),
        (["claen=x"], "claen is unknown, did you mean clean?"),
        ([*DATA, "clean=corpus"], "clean=corpus is there already and holds test.de, "),
        ([*DATA, "data.limit=0"], "data.limit=0 leaves no pair to train on"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(in_process, ill, arguments, message):
    code, out, error = in_process("doctor", *arguments)
    assert (code, out) == (2, "")
    assert error.startswith(f"error: {message}")
    assert error.count("\n") == 1


def test_help_lists_options_and_corpora(in_process):
    code, out, _ = in_process("doctor", "--help")
    assert (code, out) == (0, help_text("doctor") + "\n")
    assert "clean: null" in out
    assert "data=multi30k" in out
