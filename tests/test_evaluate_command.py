"""python -m s2s.evaluate: a run on a split, or a file against a file."""

import json
import re

import pytest


@pytest.fixture
def files(tmp_path):
    (tmp_path / "hypotheses.txt").write_text("one two three four\nfive six seven\n", encoding="utf-8")
    (tmp_path / "references.txt").write_text("one two three four\nfive six eight\n", encoding="utf-8")
    return "hypotheses=hypotheses.txt", "references=references.txt"


def test_files_are_scored_with_signatures(s2s, files, tmp_path):
    result = s2s("evaluate", *files)
    assert result.returncode == 0, result.stderr
    lines = result.stdout.decode().splitlines()
    assert [line.split(" = ")[0] for line in lines] == ["BLEU", "chrF2", "TER"]
    assert re.search(r" = \d+\.\d\d ± \d+\.\d\d \(nrefs:1\|bs:1000\|seed:12345\|.*version:", lines[0])
    assert all(re.search(r" = \d+\.\d\d \(nrefs:1\|.*version:", line) for line in lines[1:])
    assert result.stderr == b""
    assert sorted(path.name for path in tmp_path.iterdir()) == ["hypotheses.txt", "references.txt"]


def test_files_score_what_is_known_by_hand(in_process, files):
    code, out, _ = in_process("evaluate", *files, "format=json")
    scores = json.loads(out)
    assert code == 0
    assert scores["TER"]["value"] == pytest.approx(100 / 7)
    precisions = (6 / 7) * (4 / 5) * (2 / 3) * (1 / 1)
    assert scores["BLEU"]["value"] == pytest.approx(100 * precisions**0.25)
    assert "tok:13a" in scores["BLEU"]["signature"]
    assert scores["BLEU"]["confidence"] > 0
    assert "confidence" not in scores["TER"]


def test_a_file_against_itself_is_perfect(in_process, files):
    _, out, _ = in_process("evaluate", files[0], "references=hypotheses.txt", "format=json")
    assert {name: score["value"] for name, score in json.loads(out).items()} == pytest.approx(
        {"BLEU": 100, "chrF2": 100, "TER": 0}
    )


def test_chinese_is_scored_by_characters(in_process, files):
    _, out, _ = in_process("evaluate", *files, "language=zh", "format=json")
    assert "tok:zh" in json.loads(out)["BLEU"]["signature"]


def test_a_run_is_scored_on_a_split(in_process, trained, translator, digits, tmp_path):
    code, out, error = in_process("evaluate", f"run={trained.folder}", "data.split=valid", "output=out.txt")
    assert code == 0, error
    sources, references = ((digits / f"valid.{language}").read_text().splitlines() for language in ("de", "en"))
    translations = [one.text for one in translator(sources)]
    assert (tmp_path / "out.txt").read_text().splitlines() == translations
    assert len(translations) == 8
    (tmp_path / "valid.en").write_text("\n".join(references) + "\n")
    by_file = in_process("evaluate", "hypotheses=out.txt", "references=valid.en")[1]
    assert out == by_file


def test_a_run_is_scored_on_another_corpus_in_json(in_process, trained, tmp_path):
    (tmp_path / "test.de").write_text("eins\n\nzwei\n", encoding="utf-8")
    (tmp_path / "test.en").write_text("one\n\ntwo\n", encoding="utf-8")
    code, out, _ = in_process("evaluate", f"run={trained.folder}", f"data.path={tmp_path}", "format=json")
    assert code == 0
    assert set(json.loads(out)) == {"BLEU", "chrF2", "TER"}


def test_gold_links_add_the_alignment_error_rate(in_process, trained, tmp_path):
    (tmp_path / "test.de").write_text("eins zwei\ndrei\n", encoding="utf-8")
    (tmp_path / "test.en").write_text("one two\nthree\n", encoding="utf-8")
    (tmp_path / "test.de-en.align").write_text("0-0 1-1\n0-0\n", encoding="utf-8")
    code, out, _ = in_process("evaluate", f"run={trained.folder}", f"data.path={tmp_path}", "format=json")
    score = json.loads(out)["AER"]
    assert code == 0
    assert 0 <= score["value"] <= 100
    assert re.fullmatch(r"precision:[\d.]+\|recall:[\d.]+\|sentences:2\|words", score["signature"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["hypotheses=hypotheses.txt"], "hypotheses= and references= go together; give both files, or neither"),
        (["references=references.txt"], "hypotheses= and references= go together"),
        (["hypotheses=hypotheses.txt", "references=short.txt"], "BLEU got 2 hypotheses and 1 references"),
        (["hypotheses=hypotheses.txt", "references=nowhere.txt"], "file: nowhere.txt does not exist"),
        (["format=xml"], "format=xml is unknown; expected text or json"),
        ([], "no finished run in runs; train one"),
        (["language.x=1"], "language.x is unknown"),
    ],
)
def test_a_mistake_is_one_line_on_stderr(in_process, files, tmp_path, arguments, message):
    (tmp_path / "short.txt").write_text("one\n", encoding="utf-8")
    code, out, error = in_process("evaluate", *arguments)
    assert (code, out) == (2, "")
    assert error.startswith(f"error: {message}")
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("data.split=nothing", "no split 'nothing' in"),
        ("data.path=nowhere", "data.path: nowhere does not exist"),
        ("output=no/where.txt", "output=no/where.txt cannot be written (No such file or directory); give another file"),
    ],
)
def test_a_mistake_about_a_run_is_explained(in_process, trained, argument, message):
    code, out, error = in_process("evaluate", f"run={trained.folder}", argument)
    assert (code, out) == (2, "")
    assert error.splitlines()[-1].startswith(f"error: {message}")
