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
    assert f"precision:{score['precision']:.1f}|recall:{score['recall']:.1f}|" in score["signature"]


@pytest.fixture
def link_files(tmp_path):
    (tmp_path / "mine.align").write_text("0-0 1?2 2-2\n\n0-0\n", encoding="utf-8")
    (tmp_path / "gold.align").write_text("0-0 1-1 1?2\n\n0-0\n", encoding="utf-8")
    (tmp_path / "gold.naacl").write_text("1 1 1 S\n1 2 2 S\n1 2 3 P\n3 1 1 S\n", encoding="utf-8")


@pytest.mark.parametrize("gold", ["gold.align", "gold.naacl"])
def test_a_file_of_links_is_scored_against_gold_in_either_form(in_process, link_files, gold):
    # As worked by hand in tests/report/test_alignment.py, with a sentence without links between.
    code, out, error = in_process("evaluate", "links=mine.align", f"gold={gold}")
    assert (code, out, error) == (0, "AER = 28.57 (precision:75.0|recall:66.7|sentences:3|words)\n", "")
    score = json.loads(in_process("evaluate", "links=mine.align", f"gold={gold}", "format=json")[1])["AER"]
    assert score["value"] == pytest.approx(200 / 7)
    assert (score["precision"], score["recall"]) == pytest.approx((75, 200 / 3))


def test_links_and_translations_are_scored_at_once(in_process, files, link_files):
    code, out, _ = in_process("evaluate", *files, "links=mine.align", "gold=gold.align", "format=json")
    assert code == 0
    assert set(json.loads(out)) == {"BLEU", "chrF2", "TER", "AER"}


@pytest.fixture
def numbers(tmp_path):
    """A split with gold links of its own."""
    (tmp_path / "test.de").write_text("eins zwei\ndrei\n", encoding="utf-8")
    (tmp_path / "test.en").write_text("one two\nthree\n", encoding="utf-8")
    (tmp_path / "test.de-en.align").write_text("0-0 1-1\n0-0\n", encoding="utf-8")
    return f"data.path={tmp_path}"


def test_gold_that_is_given_goes_before_the_split_s_own(in_process, trained, numbers, tmp_path):
    (tmp_path / "same.naacl").write_text("1 1 1\n1 2 2\n2 1 1\n", encoding="utf-8")
    (tmp_path / "all.align").write_text("0-0 0?1 1?0 1-1\n0-0\n", encoding="utf-8")
    command = ["evaluate", f"run={trained.folder}", numbers, "format=json"]
    own, same, more = (
        json.loads(in_process(*command, *gold)[1]) for gold in ([], ["gold=same.naacl"], ["gold=all.align"])
    )
    assert own == same
    assert (more["AER"]["precision"], more["AER"]["recall"]) == (100, own["AER"]["recall"])


def test_the_links_of_a_run_are_those_of_its_words(in_process, trained, translator, numbers, tmp_path):
    from s2s.report.alignment import hard_links, pharaoh

    forced = translator.score(["eins zwei", "drei"], ["one two", "three"])
    links = "".join(pharaoh(hard_links(one.words())) + "\n" for one in forced)
    (tmp_path / "mine.align").write_text(links, encoding="utf-8")
    by_run = json.loads(in_process("evaluate", f"run={trained.folder}", numbers, "format=json")[1])
    by_file = json.loads(in_process("evaluate", "links=mine.align", "gold=test.de-en.align", "format=json")[1])
    assert by_file["AER"] == by_run["AER"]


@pytest.mark.parametrize(
    ("gold", "message"),
    [
        ("0-0\n", "gold.align has 1 lines of gold links, expected one for each of 2 sentences"),
        ("0-0\n0:0\n", "gold.align, line 2: alignment link '0:0', expected source-target"),
        ("0-0\n0-1\n", "gold.align, sentence 2: link 0-1, counted from 0, but 1 source words and 1 target words"),
        ("3 1 1\n", "gold.align, line 1: a link of sentence 3, expected 1 to 2"),
        ("0?0\n\n", "no sure link in 2 gold alignments"),
    ],
)
def test_gold_that_does_not_fit_is_refused_before_anything_is_translated(
    in_process, trained, numbers, tmp_path, gold, message
):
    (tmp_path / "gold.align").write_text(gold, encoding="utf-8")
    arguments = (f"run={trained.folder}", numbers, "gold=gold.align", "output=out.txt")
    code, out, error = in_process("evaluate", *arguments)
    assert (code, out) == (2, "")
    assert error.splitlines()[-1].startswith(f"error: {message}")
    assert not (tmp_path / "out.txt").exists()


def test_gold_for_a_model_without_attention_is_refused(in_process, create_run, numbers):
    from s2s.train import prepare

    run = create_run("model=sutskever", "training.steps=1", "training.validate_every=1")
    assert prepare(run)[0].train()
    run.finish({})
    code, out, _ = in_process("evaluate", f"run={run.folder}", numbers, "format=json")
    assert code == 0
    assert set(json.loads(out)) == {"BLEU", "chrF2", "TER"}
    code, out, error = in_process("evaluate", f"run={run.folder}", numbers, "gold=test.de-en.align")
    assert (code, out) == (2, "")
    message = "error: gold=test.de-en.align: a model without attention has no links to score; leave it out"
    assert error.splitlines()[-1] == message


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["hypotheses=hypotheses.txt"], "hypotheses= and references= go together; give both files, or neither"),
        (["references=references.txt"], "hypotheses= and references= go together"),
        (["hypotheses=hypotheses.txt", "references=short.txt"], "BLEU got 2 hypotheses and 1 references"),
        (["hypotheses=hypotheses.txt", "references=nowhere.txt"], "file: nowhere.txt does not exist"),
        (["links=hypotheses.txt"], "links= and gold= go together; give both files, or gold= alone to score a run"),
        (["hypotheses=hypotheses.txt", "references=references.txt", "gold=short.txt"], "links= and gold= go together"),
        (["links=short.txt", "gold=short.txt"], "short.txt, line 1: alignment link 'one', expected source-target"),
        (["links=empty.align", "gold=short.txt"], "short.txt, line 1: alignment link 'one', expected source-target"),
        (["links=empty.align", "gold=empty.align"], "no sure link in 1 gold alignments"),
        (["links=nowhere.align", "gold=short.txt"], "file: nowhere.align does not exist"),
        (["format=xml"], "format=xml is unknown; expected text or json"),
        ([], "no finished run in runs; train one"),
        (["language.x=1"], "language.x is unknown"),
    ],
)
def test_a_mistake_is_one_line_on_stderr(in_process, files, tmp_path, arguments, message):
    (tmp_path / "short.txt").write_text("one\n", encoding="utf-8")
    (tmp_path / "empty.align").write_text("\n", encoding="utf-8")
    code, out, error = in_process("evaluate", *arguments)
    assert (code, out) == (2, "")
    assert error.startswith(f"error: {message}")
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("data.split=nothing", "no split 'nothing' in"),
        ("data.path=nowhere", "data.path: nowhere does not exist"),
        ("gold=nowhere.align", "file: nowhere.align does not exist"),
        ("output=no/where.txt", "output=no/where.txt cannot be written (No such file or directory); give another file"),
    ],
)
def test_a_mistake_about_a_run_is_explained(in_process, trained, argument, message):
    code, out, error = in_process("evaluate", f"run={trained.folder}", argument)
    assert (code, out) == (2, "")
    assert error.splitlines()[-1].startswith(f"error: {message}")
