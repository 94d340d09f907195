"""python -m s2s.evaluate: runs on a split, or files against a file; several compared."""

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
    figures = re.compile(r" = \d+\.\d\d ± \d+\.\d\d \(nrefs:1\|bs:1000\|seed:12345\|.*version:")
    assert all(figures.search(line) for line in lines)
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
    assert all(score["confidence"] > 0 for score in scores.values())


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


@pytest.fixture
def systems(files, tmp_path):
    """Another system, and what the files were made from and by."""
    (tmp_path / "better.txt").write_text("one two three four\nfive six eight\n", encoding="utf-8")
    (tmp_path / "sources.txt").write_text("eins zwei drei vier\nfünf sechs acht\n", encoding="utf-8")
    (tmp_path / "train.txt").write_text("one two three four five six\none two three four\n", encoding="utf-8")
    return "hypotheses=[hypotheses.txt,better.txt]", files[1]


def test_files_are_compared_with_the_first(s2s, systems):
    result = s2s("evaluate", *systems)
    assert result.returncode == 0, result.stderr
    lines = result.stdout.decode().splitlines()
    assert lines[0].split() == ["system", "BLEU", "chrF2++", "TER", "↓"]
    assert lines[3].startswith("better.txt       100.00 ± ")
    assert lines[5].startswith("against hypotheses.txt")
    *metric, difference, bootstrap_p, randomisation_p, better, worse, equal = lines[9].split()
    assert (metric, difference) == (["TER", "↓"], "-14.29")
    # A quarter of the resampled corpora has the one sentence that differs twice.
    assert float(bootstrap_p) == pytest.approx(0.25, abs=0.03)
    assert randomisation_p == "1.0000"
    assert (better, worse, equal) == ("1", "0", "1")
    signatures = dict(line.split() for line in lines[-3:])
    assert "|bs:1000|ar:10000|seed:12345|" in signatures["chrF2++"]
    assert "|nw:2|" in signatures["chrF2++"]
    assert result.stderr == b""


def test_a_comparison_in_json_has_scores_and_differences(in_process, systems):
    code, out, _ = in_process("evaluate", *systems, "metrics=[bleu,bleu_lc,exact,wer]", "format=json")
    record = json.loads(out)
    assert code == 0
    assert [metric["name"] for metric in record["metrics"]] == ["BLEU", "BLEU lc", "exact match", "token error rate"]
    assert "|case:lc|" in record["metrics"][1]["signature"]
    first, second = record["systems"]
    assert (first["scores"]["exact match"]["value"], second["scores"]["exact match"]["value"]) == (50, 100)
    assert first["scores"]["token error rate"]["value"] == pytest.approx(100 / 7)
    # One sentence alone is no evidence: with and without it swapped the difference is as large.
    assert second["against_baseline"]["exact match"]["randomisation_p"] == 1
    assert "by_length" not in record


@pytest.mark.parametrize("metrics", ["exact", "[exact]"])
def test_one_metric_may_be_named_with_brackets_or_without(in_process, files, metrics):
    code, out, _ = in_process("evaluate", *files, f"metrics={metrics}")
    assert (code, out.split(" ± ")[0]) == (0, "exact match = 50.00")


def test_sources_and_training_data_ask_for_tables(in_process, systems):
    plain = in_process("evaluate", *systems)[1]
    code, out, _ = in_process("evaluate", *systems, "sources=sources.txt", "training=train.txt")
    assert code == 0
    assert out.startswith(plain + "\nBLEU by words of the source")
    assert "rarest reference word" in out
    rows = [line.split() for line in out.splitlines()]
    assert ["0", "1", "0.00", "100.00"] in rows  # "eight"
    assert ["1", "2", "100.00", "100.00"] in rows  # "five six"
    assert ["2–4", "4", "100.00", "100.00"] in rows
    assert out == in_process("evaluate", *systems, "sources=sources.txt", "training=train.txt", "report=-")[1]


def test_tokens_of_exact_answers_are_parted_by_blanks_alone(in_process, tmp_path):
    (tmp_path / "sources.txt").write_text("jump_left and walk\nrun\n", encoding="utf-8")
    (tmp_path / "actions.txt").write_text("I_TURN_LEFT I_JUMP\nI_RUN\n", encoding="utf-8")
    files = ("hypotheses=actions.txt", "references=actions.txt", "training=actions.txt")
    _, out, _ = in_process("evaluate", *files, "metrics=[exact,wer]", "report=report.json")
    assert out.count("100.00 ± 0.00") == 1
    record = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert {one["frequency"]: one["systems"]["actions.txt"]["references"] for one in record["by_frequency"]} == {"1": 3}


def test_reports_hold_every_sentence(in_process, systems, tmp_path):
    code, out, error = in_process(
        "evaluate", *systems, "sources=sources.txt", "training=train.txt", "report=[new/page.html,all.json,-]"
    )
    assert code == 0, error
    assert "F-measure of words by training frequency" in out
    record = json.loads((tmp_path / "all.json").read_text(encoding="utf-8"))
    assert [one["source"] for one in record["by_sentence"]] == ["eins zwei drei vier", "fünf sechs acht"]
    assert record["by_sentence"][1]["hypotheses"] == ["five six seven", "five six eight"]
    assert record["by_sentence"][1]["scores"]["TER"] == [pytest.approx(100 / 3, abs=1e-4), 0]
    assert record["versions"]["sacrebleu"] in record["metrics"][0]["signature"]
    page = (tmp_path / "new" / "page.html").read_text(encoding="utf-8")
    assert "<title>better.txt against hypotheses.txt</title>" in page


def test_files_of_one_name_go_by_their_paths(in_process, systems, tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "out.txt").write_text("one two\nfive six\n", encoding="utf-8")
    code, out, _ = in_process("evaluate", "hypotheses=[a/out.txt,b/out.txt]", systems[1], "metrics=ter", "format=json")
    record = json.loads(out)
    assert code == 0
    assert [system["name"] for system in record["systems"]] == ["a/out.txt", "b/out.txt"]
    assert record["systems"][1]["against_baseline"]["TER"]["randomisation_p"] == 1


def test_runs_are_compared_on_their_split(in_process, trained, tmp_path):
    import shutil

    other = shutil.copytree(trained.folder, tmp_path / "other")
    outputs = "output=[one.txt,two.txt]"
    code, out, error = in_process(
        "evaluate", f"run=[{trained.folder},{other}]", "report=[-,all.json]", outputs, "metrics=[bleu,exact]"
    )
    assert code == 0, error
    assert f"run: {trained.folder}, {other}" in error
    record = json.loads((tmp_path / "all.json").read_text(encoding="utf-8"))
    assert [system["name"] for system in record["systems"]] == ["run", "other"]
    assert record["systems"][1]["against_baseline"]["BLEU"]["randomisation_p"] == 1
    assert sum(bucket["sentences"] for bucket in record["by_length"]) == 6
    assert sum(bucket["systems"]["run"]["references"] for bucket in record["by_frequency"]) > 6
    assert "BLEU by words of the source" in out
    assert (tmp_path / "one.txt").read_text() == (tmp_path / "two.txt").read_text()
    assert "|tok:13a|" in record["metrics"][0]["signature"]


def test_a_run_whose_training_data_is_gone_is_reported_without_it(in_process, trained, digits, tmp_path):
    import shutil

    from omegaconf import OmegaConf

    moved = shutil.copytree(trained.folder, tmp_path / "moved")
    config = OmegaConf.load(moved / "config.yaml")
    config.data.path = "gone"
    OmegaConf.save(config, moved / "config.yaml")
    command = ["evaluate", f"run={moved}", f"data.path={digits}", "report=all.json"]
    code, _, error = in_process(*command)
    assert code == 0
    assert "without scores by training frequency, give training= for them: data.path: gone does not exist" in error
    assert "by_frequency" not in json.loads((tmp_path / "all.json").read_text(encoding="utf-8"))
    code, _, error = in_process(*command, f"training={digits}/train.en", "overwrite=true")
    assert code == 0, error
    assert "by_frequency" in json.loads((tmp_path / "all.json").read_text(encoding="utf-8"))


def test_runs_of_other_test_sets_are_not_compared(in_process, trained, digits, tmp_path):
    import shutil

    from omegaconf import OmegaConf

    other = shutil.copytree(trained.folder, tmp_path / "other")
    config = OmegaConf.load(other / "config.yaml")
    config.data.test = [f"{digits}/valid.de", f"{digits}/valid.en"]
    OmegaConf.save(config, other / "config.yaml")
    code, out, error = in_process("evaluate", f"run=[{trained.folder},{other}]")
    assert (code, out) == (2, "")
    assert f"{trained.folder} and {other} have other sentences in test, and cannot be compared; give" in error


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["hypotheses=hypotheses.txt"], "hypotheses= and references= go together; give both files, or neither"),
        (["references=references.txt"], "hypotheses= and references= go together"),
        (["hypotheses=hypotheses.txt", "references=short.txt"], "hypotheses.txt: 2 lines, but 1 references"),
        (["hypotheses=hypotheses.txt", "references=nowhere.txt"], "file: nowhere.txt does not exist"),
        (["links=hypotheses.txt"], "links= and gold= go together; give both files, or gold= alone to score a run"),
        (["hypotheses=hypotheses.txt", "references=references.txt", "gold=short.txt"], "links= and gold= go together"),
        (["links=short.txt", "gold=short.txt"], "short.txt, line 1: alignment link 'one', expected source-target"),
        (["links=empty.align", "gold=short.txt"], "short.txt, line 1: alignment link 'one', expected source-target"),
        (["links=empty.align", "gold=empty.align"], "no sure link in 1 gold alignments"),
        (["links=nowhere.align", "gold=short.txt"], "file: nowhere.align does not exist"),
        (["format=xml"], "format=xml is unknown; expected text or json"),
        (
            ["hypotheses=[hypotheses.txt,hypotheses.txt]", "references=references.txt"],
            "hypotheses.txt is given twice; leave one out, or rename it",
        ),
        (
            ["hypotheses=[hypotheses.txt,short.txt]", "references=references.txt"],
            "short.txt: 1 lines, but 2 references; all must be of the same test set, line by line",
        ),
        (
            ["hypotheses=hypotheses.txt", "references=references.txt", "sources=short.txt"],
            "the sources: 1 lines, but 2 references",
        ),
        (["hypotheses=[hypotheses.txt,nowhere.txt]", "references=references.txt"], "file: nowhere.txt does not exist"),
        (
            ["hypotheses=hypotheses.txt", "references=references.txt", "metrics=[bleu,comet]"],
            "metrics=comet is unknown; expected some of bleu, bleu_lc, chrf, chrf++, ter, exact, wer",
        ),
        (
            ["hypotheses=hypotheses.txt", "references=references.txt", "report=-"],
            "report=- has scores by source length and training frequency; give sources= or training=",
        ),
        (
            ["hypotheses=hypotheses.txt", "references=references.txt", "report=[-,x.pdf]"],
            "report=x.pdf is no report; expected - for tables, a .html or a .json file",
        ),
        (
            ["hypotheses=hypotheses.txt", "references=references.txt", "report=no/where.json"],
            "report=no/where.json cannot be written (No such file or directory); give another file",
        ),
        (
            ["hypotheses=page.html", "references=references.txt", "report=page.html"],
            "page.html is an input, which would be lost",
        ),
        (
            ["hypotheses=hypotheses.txt", "references=references.txt", "run=runs/a"],
            "hypotheses= and run= are two things to score; give one",
        ),
        (["sources=short.txt"], "sources= goes with hypotheses=; a run has its own, leave it out"),
        (
            ["hypotheses=[hypotheses.txt,short.txt]", "references=short.txt", "links=links.align", "gold=links.align"],
            "links= are those of one file of translations; give one, or leave links= out",
        ),
        ([], "no finished run in runs; train one"),
        (["language.x=1"], "language.x is unknown"),
    ],
)
def test_a_mistake_is_one_line_on_stderr(in_process, files, tmp_path, arguments, message):
    (tmp_path / "short.txt").write_text("one\n", encoding="utf-8")
    (tmp_path / "empty.align").write_text("\n", encoding="utf-8")
    (tmp_path / "links.align").write_text("0-0\n", encoding="utf-8")
    code, out, error = in_process("evaluate", *arguments)
    assert code == 2
    assert not out or "report=" in message
    assert error.startswith(f"error: {message}")
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("data.split=nothing", "no split 'nothing' in"),
        ("data.path=nowhere", "data.path: nowhere does not exist"),
        ("gold=nowhere.align", "file: nowhere.align does not exist"),
        ("output=[one.txt,two.txt]", "output= names 2 files for 1 runs; give one for each"),
        ("output=no/where.txt", "output=no/where.txt cannot be written (No such file or directory); give another file"),
    ],
)
def test_a_mistake_about_a_run_is_explained(in_process, trained, argument, message):
    code, out, error = in_process("evaluate", f"run={trained.folder}", argument)
    assert (code, out) == (2, "")
    assert error.splitlines()[-1].startswith(f"error: {message}")
