"""python -m s2s.compare: the table of finished runs."""

import csv
import json
import os
import re
import shutil

import pytest
from matplotlib import image

from s2s.run_format import PARTS

RNN = {"_target_": "s2s.model.kernel_cells.LSTM", "_partial_": True}
SIGNATURE = "nrefs:1|bs:1000|seed:12345|case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0"


@pytest.fixture
def make_run(tmp_path):
    """Write the folder of a finished run by hand."""

    def make(name, *, cell="LSTM", bleu=40.0, finished_at=1000):
        folder = tmp_path / "runs" / name
        folder.mkdir(parents=True)
        config = {
            **{name: {} for name in PARTS},
            "seed": 1,
            "data": {"label": "sample", "source": "de", "target": "en"},
            "model": {"rnn": {**RNN, "_target_": f"s2s.model.kernel_cells.{cell}"}},
        }
        (folder / "config.yaml").write_text(json.dumps(config), encoding="utf-8")
        record = {"split": "valid", "updates": 5, "epoch": 1, "seconds": 30.0, "perplexity": 5.5, "best": True}
        (folder / "metrics.jsonl").write_text(json.dumps(record) + "\n", encoding="utf-8")
        result = {
            "BLEU": {"value": bleu, "confidence": 1.5, "signature": SIGNATURE, "split": "test"},
            "model": {"parameters": 1_500_000, "multiply_adds_per_token": 2_500_000},
        }
        (folder / "result.json").write_text(json.dumps(result), encoding="utf-8")
        os.utime(folder / "result.json", (finished_at, finished_at))
        return folder

    return make


@pytest.fixture
def two_runs(make_run):
    make_run("b", cell="GRU", finished_at=1000)
    make_run("a", bleu=38.0, finished_at=2000)


def rows(text):
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("|")]


def test_words_are_run_folders_and_rows_follow_them(in_process, two_runs):
    code, out, error = in_process("compare", "runs/a", "runs/b", "format=markdown")
    assert (code, error) == (0, "")
    titles, _, first, second = rows(out)
    assert titles[0] == "run"
    assert first == ["a", "rnn=lstm", "1.50M", "2.50M", "–", "5.50", "38.00 ± 1.50", "–", "0:30"]
    assert second == ["b", "rnn=gru", "1.50M", "2.50M", "–", "5.50", "**40.00 ± 1.50**", "–", "0:30"]
    assert out.splitlines()[-3] == f"BLEU on test, ± half its 95 % confidence interval: {SIGNATURE}"


def test_without_words_all_finished_runs_are_compared_the_newest_last(in_process, two_runs, make_run):
    (make_run("c") / "result.json").unlink()
    _, out, _ = in_process("compare", "format=markdown")
    assert [row[0] for row in rows(out)[2:]] == ["b", "a"]


def test_words_and_the_option_mean_the_same(in_process, two_runs):
    outputs = [in_process("compare", *words)[:2] for words in (["runs/b"], ["runs=[runs/b]"], ["runs=runs/b"])]
    assert outputs[0][0] == 0
    assert outputs[0] == outputs[1] == outputs[2]


def test_plain_text_is_a_table_and_its_notes(in_process, two_runs):
    _, out, _ = in_process("compare")
    lines = out.splitlines()
    assert re.split(r" {2,}", lines[0])[:3] == ["run", "differs in", "parameters"]
    assert re.split(r" {2,}", lines[2])[:3] == ["b", "rnn=gru", "1.50M"]
    assert lines[4] == ""
    assert lines[5].startswith("BLEU on test")


@pytest.mark.parametrize(("name", "start"), [("x.md", "| run |"), ("x.csv", "run,differs_in"), ("x.txt", "run   diff")])
def test_the_ending_of_the_output_chooses_the_format(in_process, two_runs, tmp_path, name, start):
    code, out, _ = in_process("compare", f"output={name}")
    assert (code, out) == (0, "")
    assert (tmp_path / name).read_text(encoding="utf-8").startswith(start)


def test_the_format_goes_before_the_ending(in_process, two_runs, tmp_path):
    in_process("compare", "output=x.data", "format=csv")
    with (tmp_path / "x.data").open(encoding="utf-8") as file:
        assert [row["BLEU"] for row in csv.DictReader(file)] == ["40.0", "38.0"]


def test_curves_are_drawn(in_process, two_runs, tmp_path):
    code, _, error = in_process("compare", "curves=new/curves.png")
    assert (code, error) == (0, "curves: new/curves.png\n")
    assert image.imread(tmp_path / "new/curves.png").shape[1] > 1000


def test_names_of_any_letters_are_understood(in_process, make_run):
    make_run("样本 d'été, [1]")
    code, out, error = in_process("compare", "runs/样本 d'été, [1]", "format=markdown")
    assert code == 0, error
    assert rows(out)[2][0] == "样本 d'été, [1]"


def test_runs_of_one_name_go_by_their_paths(in_process, make_run, tmp_path):
    shutil.copytree(make_run("a"), tmp_path / "old" / "a")
    _, out, _ = in_process("compare", "runs/a", "old/a", "format=markdown")
    assert [row[0] for row in rows(out)[2:]] == ["runs/a", "old/a"]


def test_tokenizers_are_told_apart_by_their_files(in_process, two_runs, tmp_path):
    for name, content in (("a", b"one"), ("b", b"two")):
        (tmp_path / "runs" / name / "tokenizer").mkdir()
        (tmp_path / "runs" / name / "tokenizer" / "target.model").write_bytes(content)
    assert "Perplexities are not comparable" in in_process("compare")[1]
    (tmp_path / "runs/a/tokenizer/target.model").write_bytes(b"two")
    assert "Perplexities" not in in_process("compare")[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["runs_dir=nowhere"], "no finished run in nowhere; name run folders, or train with `python -m s2s.train`"),
        (["nowhere"], "nowhere is no run: it has no config.yaml"),
        (["runs/half"], "runs/half is not finished; go on with `python -m s2s.train resume=runs/half`"),
        (["runs/broken"], "runs/broken/result.json cannot be read"),
        (["format=html"], "format=html is unknown; expected text, markdown, csv"),
        (["output=x.html"], "output=x.html ends in none of .txt, .md, .csv; rename it or give format="),
        (["output=no/where.md"], "output=no/where.md cannot be written (No such file or directory)"),
        (["runs/a", "curves=x.jpg"], "curves 'x.jpg' ends in '.jpg', expected one of .png"),
        (["runs/a", "runs=[runs/b]"], "runs/a and runs=… are given; give words alone or runs=[…] alone"),
        (["formt=csv"], "formt is unknown, did you mean format?"),
        (["+x"], "'+x': options are neither added nor deleted here"),
    ],
)
def test_a_mistake_is_one_line_on_stderr(in_process, two_runs, make_run, arguments, message):
    (make_run("half") / "result.json").unlink()
    broken = make_run("broken") / "result.json"
    if "runs/broken" in arguments:
        broken.write_text("{", encoding="utf-8")
    code, _, error = in_process("compare", *arguments)
    assert code == 2
    assert error.startswith(f"error: {message}")
    assert error.count("\n") == 1


def test_other_commands_take_no_words(in_process):
    code, _, error = in_process("evaluate", "runs/a")
    assert (code, error.startswith("error: 'runs/a' cannot be read: expected name=value")) == (2, True)


def test_the_help_shows_the_words_and_every_option(in_process):
    code, out, _ = in_process("compare", "--help")
    assert code == 0
    assert out.startswith("# python -m s2s.compare runs/a runs/b")
    assert re.findall(r"^(\w+):", out, re.MULTILINE) == ["runs", "runs_dir", "format", "output", "curves", "overwrite"]
    assert "group=choice" not in out


def test_a_trained_run_is_compared_with_another(s2s, trained, make_run, tmp_path):
    make_run("other", cell="GRU")
    result = s2s("compare", trained.folder, "runs/other", "output=table.csv", "curves=curves.svg")
    assert result.returncode == 0, result.stderr.decode()
    assert result.stdout == b""
    with (tmp_path / "table.csv").open(encoding="utf-8") as file:
        first, _ = csv.DictReader(file)
    records = [json.loads(line) for line in trained.metrics.read_text().splitlines()]
    best = [record for record in records if record.get("best")][-1]
    assert float(first["validation_perplexity"]) == best["perplexity"]
    assert float(first["seconds"]) == records[-1]["seconds"]
    assert "rnn=lstm" in first["differs_in"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["curves.svg", "runs", "table.csv"]


def test_language_models_have_a_column_of_their_own_that_is_compared_on_one_text_alone(in_process, two_runs, tmp_path):
    for name, value, text in (("a", 31.5, "x"), ("b", 30.25, "x")):
        result = {"perplexity per word": {"value": value, "references_sha256": text}}
        (tmp_path / "runs" / name / "result.json").write_text(json.dumps(result), encoding="utf-8")
    code, out, error = in_process("compare", "runs/a", "runs/b", "format=markdown")
    assert (code, error) == (0, "")
    titles, _, first, second = rows(out)
    place = titles.index("perplexity per word")
    assert (first[place], second[place]) == ("31.50", "**30.25**")
    result["perplexity per word"]["references_sha256"] = "y"
    (tmp_path / "runs" / "b" / "result.json").write_text(json.dumps(result), encoding="utf-8")
    _, _, _, second = rows(in_process("compare", "runs/a", "runs/b", "format=markdown")[1])
    assert second[place] == "30.25"
    header = next(csv.reader(in_process("compare", "runs/a", "runs/b", "format=csv")[1].splitlines()))
    assert "perplexity per word" in header
