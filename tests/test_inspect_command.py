"""python -m s2s.inspect, as a person looks into a translator."""

import json
import re
import subprocess
import sys

import numpy as np
import pytest

from s2s.inspection import Linking, sheets
from s2s.report.writers import sheet_lines
from s2s.text.tokenizer import Tokenizer
from s2s.translator import Translator

LINES = ["eins zwei", "", "drei vier fünf", "neun"]
TEXT = "".join(f"{line}\n" for line in LINES).encode()
TARGETS = "one two\n\nnine eight four\nnine\n"
HEAVY = ("matplotlib", "PIL", "datasets", "accelerate", "s2s.training", "pyarrow", "pandas")
PAGE_DATA = re.compile(r'<script type="application/json" class="(?:sheet|data)"[^>]*>(.*?)</script>')


@pytest.fixture(scope="module")
def quick_run(create_run):
    """Train a model for a moment; it has learnt next to nothing."""
    from s2s.train import prepare

    def train(name, *overrides):
        run = create_run("training.steps=4", "training.validate_every=2", "search=beam", *overrides, name=name)
        trainer, _ = prepare(run)
        assert trainer.train()
        return run

    return train


@pytest.fixture(scope="module")
def watched(quick_run):
    """A run of two heads that kept its attention over two validations."""
    return quick_run("watched", "model/attention=multihead", "training.keep_attention=1")


@pytest.fixture(scope="module")
def backward(quick_run):
    """A run of the other direction, in a folder called as that of the trained one."""
    return quick_run("run", "data.source=en", "data.target=de")


@pytest.fixture(scope="module")
def unattended(quick_run):
    """A run without attention."""
    return quick_run("unattended", "model=sutskever")


@pytest.fixture
def look(in_process, trained):
    """Inspect the trained run, or others; stdout alone where nothing is wrong."""

    def run(*arguments, stdin=TEXT, folders=None):
        folders = folders or [trained.folder]
        named = "run=[" + ",".join(map(str, folders)) + "]"
        code, out, error = in_process("inspect", named, "device=cpu", *arguments, stdin=stdin)
        assert (code, error) == (0, f"run: {', '.join(map(str, folders))}\n")
        return out

    return run


@pytest.fixture
def refused(in_process, trained, tmp_path):
    """Inspect the trained run, or another; the one line that says what is wrong, where nothing was written."""

    def run(*arguments, stdin=TEXT, folder=None):
        before = sorted(path.name for path in tmp_path.iterdir())
        named = f"run={folder or trained.folder}"
        code, out, error = in_process("inspect", named, "device=cpu", *arguments, stdin=stdin)
        *said, last = error.splitlines()
        assert (code, out) == (2, "")
        assert said in ([], [f"run: {folder or trained.folder}"])
        assert sorted(path.name for path in tmp_path.iterdir()) == before
        return last

    return run


def rows_of(text):
    return [json.loads(line) for line in text.split("\n")[:-1]]


def data_of(page):
    """What a page carries."""
    return [json.loads(data) for data in PAGE_DATA.findall(page.read_text(encoding="utf-8"))]


def shown_as(form, level, found):
    return "".join(f"{line}\n" for sheet in found for line in sheet_lines(sheet, form, level))


def test_the_terminal_shows_a_heatmap_of_every_translation(look, translator):
    out = look()
    assert out == shown_as("heatmap", "words", sheets({"run": translator}, LINES))
    headings = [line for line in out.splitlines() if "(score " in line]
    assert [heading.split("   (score ")[0] for heading in headings] == [
        translation.text for line, translation in zip(LINES, translator(LINES), strict=True) if line
    ]
    assert " zwei " in out
    assert "█" in out


def test_starting_up_imports_nothing_it_does_not_need(environment, trained):
    program = f"""
import io, sys
from s2s.config import command
from s2s.inspect import inspect
sys.argv[1:] = ["run={trained.folder}", "device=cpu"]
sys.stdin = io.TextIOWrapper(io.BytesIO(b"eins\\n"))
command("inspect", inspect)
print(*[name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment)
    assert result.returncode == 0, result.stderr
    assert result.stderr == f"run: {trained.folder}\n\n"
    assert "eins" in result.stdout


@pytest.mark.parametrize("level", ["words", "pieces"])
def test_text_has_words_or_pieces(look, translator, level):
    out = look("format=text", f"level={level}")
    assert out == shown_as("text", level, sheets({"run": translator}, LINES))
    assert (" <- neun " in out) == (level == "words")


def test_json_lines_hold_everything_about_every_hypothesis_one_line_for_every_line(look, translator):
    rows = rows_of(look("format=jsonl", "n_best=2"))
    assert [row["source"] for row in rows] == LINES
    assert rows == [sheet.as_dict() for sheet in sheets({"run": translator}, LINES, n_best=2, linking=Linking())]
    assert [len(row["panels"]) for row in rows] == [2, 0, 2, 2]
    assert [panel["title"] for panel in rows[0]["panels"]] == ["1", "2"]
    assert rows[0]["panels"][0]["score"] >= rows[0]["panels"][1]["score"]


def test_links_are_one_line_for_every_line(look, translator):
    lines = look("format=links").split("\n")
    assert len(lines) == len(LINES) + 1
    assert [bool(line) for line in lines] == [True, False, True, True, False]
    assert lines[:-1] == [
        sheet.panels[0].links if sheet.panels else "" for sheet in sheets({"": translator}, LINES, linking=Linking())
    ]


def test_share_and_threshold_say_what_is_linked(look, tmp_path):
    (tmp_path / "two.txt").write_text("one two\n", encoding="utf-8")

    def links(option):
        return look("format=links", "target=two.txt", option, stdin=b"eins zwei\n").split()

    assert links("threshold=1e-9") == links("share=1e-9") == ["0-0", "0-1", "1-0", "1-1"]
    assert sorted(link.split("-")[1] for link in links("share=1")) == ["0", "1"]
    assert links("threshold=1") == []


@pytest.mark.parametrize("form", ["jsonl", "links"])
def test_a_last_line_without_its_end_is_a_line(look, form):
    assert look(f"format={form}", stdin=TEXT.rstrip(b"\n")).count("\n") == len(LINES)
    assert look(f"format={form}", stdin=b"") == ""


def test_targets_are_looked_at_in_place_of_translations(look, translator, tmp_path):
    (tmp_path / "target.txt").write_text(TARGETS, encoding="utf-8")
    rows = rows_of(look("target=target.txt", "format=jsonl"))
    forced = [(row["source"], row["panels"][0]["text"]) for row in rows if row["panels"]]
    assert forced == [("eins zwei", "one two"), ("drei vier fünf", "nine eight four"), ("neun", "nine")]
    expected = translator.score(LINES, TARGETS.split("\n")[:-1])
    assert rows[2]["panels"][0]["log_prob"] == pytest.approx(expected[2].log_prob, abs=1e-5)
    assert rows[2]["panels"][0]["text"] != translator(["drei vier fünf"])[0].text


@pytest.mark.parametrize(("count", "message"), [(3, "has fewer lines than the input; "), (5, "has more lines than")])
def test_a_target_file_of_another_length_is_refused(in_process, trained, tmp_path, count, message):
    (tmp_path / "target.txt").write_text("one\n" * count, encoding="utf-8")
    code, _, error = in_process("inspect", f"run={trained.folder}", "target=target.txt", "format=links", stdin=TEXT)
    assert code == 2
    assert error.splitlines()[1].startswith(f"error: target=target.txt {message}")
    assert len(error.splitlines()) == 2


def test_one_call_writes_every_kind_of_file_and_they_agree(look, tmp_path):
    names = ["x.jsonl", "x.npz", "x.align", "x.txt", "x.html", "x.svg"]
    out = look(f"output=[-,{','.join(names)}]", "format=text")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        [*names[:-1], *(f"x-{number}.svg" for number in (1, 3, 4))]
    )
    rows = rows_of((tmp_path / "x.jsonl").read_text(encoding="utf-8"))
    assert (tmp_path / "x.txt").read_text(encoding="utf-8") == out
    links = [row["panels"][0]["links"] if row["panels"] else "" for row in rows]
    assert (tmp_path / "x.align").read_text().split("\n")[:-1] == links
    with np.load(tmp_path / "x.npz") as arrays:
        found = arrays["3/1/words/attention"]
    np.testing.assert_allclose(found, rows[2]["panels"][0]["views"]["words"]["attention"], atol=1e-6)
    assert [sheet for sheet in data_of(tmp_path / "x.html") if "source" in sheet] == rows
    assert ">fünf<" in (tmp_path / "x-3.svg").read_text(encoding="utf-8")


def test_files_are_read(look, translator, tmp_path):
    (tmp_path / "in.txt").write_bytes(TEXT)
    out = look("input=in.txt", "format=text")
    assert out == shown_as("text", "words", sheets({"run": translator}, LINES))


def test_several_runs_stand_side_by_side_under_their_names(look, trained, watched, translator):
    both = [trained.folder, watched.folder]
    rows = rows_of(look("format=jsonl", "n_best=2", folders=both))
    assert [panel["title"] for panel in rows[0]["panels"]] == ["run 1", "run 2", "watched 1", "watched 2"]
    translators = {"run": translator, "watched": Translator.load(watched, device="cpu")}
    assert rows == [sheet.as_dict() for sheet in sheets(translators, LINES, n_best=2, linking=Linking())]


@pytest.mark.parametrize(
    ("other", "arguments", "message"),
    [
        ("backward", [], "run= names folders of one name, which could not be told apart; rename one"),
        ("watched", ["view=gates"], "view=gates shows one run as it is, got several; leave that out"),
        (
            "watched",
            ["prefix=o"],
            "prefix= have a say in the best translation of one run; leave target= and n_best= out, and give one run=",
        ),
    ],
)
def test_runs_that_do_not_go_together_are_refused(request, in_process, trained, tmp_path, other, arguments, message):
    named = f"run=[{trained.folder},{request.getfixturevalue(other).folder}]"
    code, out, error = in_process("inspect", named, "device=cpu", "output=x.html", *arguments, stdin=TEXT)
    assert (code, out, error.splitlines()[1:]) == (2, "", [f"error: {message}"])
    assert list(tmp_path.iterdir()) == []


def test_heads_are_on_pages_alone_unless_asked_for(look, watched, tmp_path):
    def parts(shown):
        return [set(panel["views"]["words"]["parts"]) for row in shown for panel in row["panels"]]

    assert parts(rows_of(look("format=jsonl", folders=[watched.folder]))) == [set()] * 3
    heads = parts(rows_of(look("format=jsonl", "parts=true", folders=[watched.folder])))
    assert heads[0] >= {"head 1", "head 2"}
    look("output=x.HTML", folders=[watched.folder])
    assert parts(row for row in data_of(tmp_path / "x.HTML") if "source" in row) == heads
    look("output=y.html", "parts=false", folders=[watched.folder])
    assert parts(row for row in data_of(tmp_path / "y.html") if "source" in row) == [set()] * 3


def test_a_report_ranks_the_lines(look, tmp_path):
    table = look("report=[-,r.jsonl,r.html]", "shown=2")
    rows = rows_of((tmp_path / "r.jsonl").read_text(encoding="utf-8"))
    assert len(rows) == 2
    assert {row["line"] for row in rows} < {1, 3, 4}
    assert rows[0]["score"] >= rows[1]["score"]
    ranked = [line.split()[:2] for line in table.splitlines() if re.match(r" *\d+ ", line)]
    assert ranked == [[str(rank), str(row["line"])] for rank, row in enumerate(rows, 1)]
    sheets_of_page = [data for data in data_of(tmp_path / "r.html") if "source" in data]
    assert [sheet["source"] for sheet in sheets_of_page] == [row["source"] for row in rows]
    assert sheets_of_page[0]["notes"][0] == f"line {rows[0]['line']}, suspicion {rows[0]['score']:.2f}"
    assert "<title>Suspicious translations of run</title>" in (tmp_path / "r.html").read_text(encoding="utf-8")


def test_gates_are_a_picture_for_every_sentence_with_words(look, tmp_path):
    (tmp_path / "target.txt").write_text("xx\n", encoding="utf-8")
    assert look("view=gates", "output=new/x.svg", "target=target.txt", stdin=b"eins\n") == ""
    assert ">x<" in (tmp_path / "new" / "x.svg").read_text(encoding="utf-8")
    look("view=gates", "output=x.png", stdin=b"null\neins\n")
    assert sorted(path.name for path in tmp_path.glob("*.png")) == ["x-1.png", "x-2.png"]
    assert (tmp_path / "x-2.png").read_bytes().startswith(b"\x89PNG")


def test_the_search_of_every_sentence_is_a_tree_on_one_page(look, translator, tmp_path):
    assert look("view=beam", "output=x.html", "search.beam_size=2") == ""
    trees = [data for data in data_of(tmp_path / "x.html") if "winner_text" in data]
    assert [tree["source"] for tree in trees] == [line for line in LINES if line]
    assert {tree["beam_size"] for tree in trees} == {2}
    assert "<title>Beam search of run</title>" in (tmp_path / "x.html").read_text(encoding="utf-8")


def test_attention_over_the_training_is_a_page_or_an_animation(look, watched, tmp_path):
    for name in ("x.html", "x.gif"):
        assert look("view=evolution", f"output={name}", folders=[watched.folder]) == ""
    (sheet,) = [data for data in data_of(tmp_path / "x.html") if "source" in data]
    assert [panel["title"] for panel in sheet["panels"]] == ["update 2", "update 4"]
    assert "<title>Training of watched</title>" in (tmp_path / "x.html").read_text(encoding="utf-8")
    assert (tmp_path / "x.gif").read_bytes().startswith(b"GIF89a")


def test_a_run_that_kept_no_attention_over_its_training_is_refused_with_the_remedy(refused, trained):
    for name in ("x.html", "x.gif"):
        assert refused("view=evolution", f"output={name}") == (
            f"error: {trained.folder} has no attention over its training; train with training.keep_attention=1, "
            "which keeps that of the first validation pair"
        )


@pytest.mark.parametrize("arguments", [["prefix=nine f"], ["replace=0:nine"], ["prefix=7"]])
def test_a_translation_is_changed_beside_the_one_as_it_is(look, translator, monkeypatch, arguments):
    if arguments == ["prefix=7"]:
        monkeypatch.setattr(Tokenizer, "encode", encode_digits(Tokenizer.encode))
    rows = rows_of(look("format=jsonl", *arguments))
    assert [[panel["title"] for panel in row["panels"]] for row in rows] == [
        ["as it is", "with your say"] if line else [] for line in LINES
    ]
    before, after = rows[2]["panels"]
    assert before["text"] == translator([LINES[2]])[0].text
    assert after["text"].startswith("seven" if arguments == ["prefix=7"] else "nine")


def encode_digits(encode):
    """The toy corpus has no digits: they stand for their words."""
    return lambda self, texts: encode(self, [text.replace("7", "seven") for text in texts])


@pytest.mark.parametrize("given", ["[0:zwei]", "0:zwei"])
def test_where_to_look_is_forced_or_forbidden(look, given):
    def weights(option):
        (row,) = rows_of(look("format=jsonl", f"{option}={given}", stdin=b"eins zwei\n"))
        view = row["panels"][1]["views"]["pieces"]
        return sum(view["attention"][0][-5:-1])

    assert weights("force") == pytest.approx(1, abs=1e-5)
    assert weights("forbid") == 0


def test_links_are_joined_with_those_of_the_other_direction(look, translator, backward):
    turned = Translator.load(backward, device="cpu")
    links = {}
    for method in ("intersection", "union"):
        lines = look("format=links", f"backward={backward.folder}", f"symmetrise={method}").split("\n")[:-1]
        linking = Linking(backward=turned, method=method)
        expected = sheets({"run": translator}, LINES, linking=linking)
        assert lines == [sheet.panels[0].links if sheet.panels else "" for sheet in expected]
        links[method] = [set(line.split()) for line in lines]
    forward = [set(line.split()) for line in look("format=links").split("\n")[:-1]]
    both = list(zip(links["intersection"], forward, links["union"], strict=True))
    assert all(fewer <= own <= more for fewer, own, more in both)
    assert any(fewer < more for fewer, _, more in both)


@pytest.mark.parametrize(
    "arguments", [[], ["format=jsonl"], ["report=-"], ["parts=true"], ["prefix=o"], ["target=target.txt"]]
)
def test_a_run_without_attention_is_refused(refused, unattended, tmp_path, arguments):
    (tmp_path / "target.txt").write_text(TARGETS, encoding="utf-8")
    message = refused(*arguments, folder=unattended.folder)
    assert message == ("error: a model without attention (model/attention=none) has none to show; take another run")


def test_the_gates_and_the_search_of_a_run_without_attention_can_be_seen(look, unattended, tmp_path):
    look("view=gates", "output=x.png", stdin=b"eins\n", folders=[unattended.folder])
    look("view=beam", "output=x.html", folders=[unattended.folder])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.html", "x.png"]


@pytest.mark.parametrize(
    "arguments", [["output=in.txt"], ["output=[-,./in.txt]"], ["report=in.txt"], ["output=target.txt"]]
)
def test_what_is_read_is_never_written_over(refused, tmp_path, arguments):
    for name in ("in.txt", "target.txt"):
        (tmp_path / name).write_bytes(TEXT)
    message = refused("input=in.txt", "target=target.txt", *arguments)
    assert message.endswith("is an input, which would be lost; give another file for the result")
    assert {path.read_bytes() for path in tmp_path.iterdir()} == {TEXT}


@pytest.mark.parametrize("arguments", [["input=nowhere.txt"], ["shortlist=0"], ["backward=5"]])
def test_a_mistake_leaves_an_older_result_as_it_is(refused, tmp_path, arguments):
    (tmp_path / "x.jsonl").write_text("old")
    refused("output=x.jsonl", *arguments)
    assert (tmp_path / "x.jsonl").read_text() == "old"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["veiw=gates"], "veiw is unknown, did you mean view?; `--help` lists the options"),
        (["view=beams"], "view=beams is unknown; expected one of attention, gates, beam, evolution"),
        (["format=xml"], "format=xml is unknown; expected one of heatmap, text, jsonl, links"),
        (["level=letters"], "level=letters is unknown; expected one of words, pieces"),
        (["symmetrise=all"], "symmetrise=all is unknown; expected one of intersection, union, grow-diag-final-and"),
        (["output=x.bmp"], "output=x.bmp ends in .bmp; expected .png, .svg, .pdf, .html, .jsonl, .npz, .txt, .align, "),
        (["view=gates"], "view=gates draws a picture, got output=-; give a file that ends in .png or .svg or .pdf"),
        (["view=beam", "output=x.png"], "view=beam writes a page, got output=x.png; give a file that ends in .html"),
        (["view=evolution"], "view=evolution writes an animation or a page, got output=-; give a file that ends in"),
        (["view=beam", "output=x/y.html", "input=no.txt"], "no.txt cannot be read (No such file or directory); give"),
        (["report=x.csv"], "report=x.csv is no report; expected - for a table, a .jsonl or a .html file"),
        (["report=-", "shown=0"], "shown=0 reports no sentence; give 1 or more"),
        (["n_best=0"], "n_best must be 1 or more, got 0"),
        (["n_best=9"], "n_best must be at most beam_size, got 9 and 5"),
        (["share=2"], "share is 2, expected a number above 0 and at most 1"),
        (["threshold=0"], "threshold is 0, expected a weight above 0 and at most 1"),
        (["batch_size=0"], "batch_size=0 holds no sentence"),
        (["search.beam_size=0"], "beam_size must be 1 or more, got 0"),
        (["workers=0"], "workers=0 would leave the work undone"),
        (["precision=int3"], "precision=int3 is unknown; expected float32 or int8"),
        (["shortlist=0"], "shortlist=0 leaves no word; give 1 or more, or null for all words"),
        (["input=5"], "5 cannot be read (No such file or directory); give another file"),
        (["target=5"], "file: 5 does not exist"),
        (["backward=nowhere"], "nowhere is no run: it has no config.yaml"),
        (["backward=5"], "5 is no run: it has no config.yaml"),
        (["replace=5"], "replace=5 is no number and word; write number:word, of the words 0:"),
        (["force=zwei"], "force=zwei is no step and place; write step:number or step:word"),
        (["forbid=[0:40]"], "forbid=0:40: the source has no 40; its pieces are 0:"),
        (["prefix=日本"], "prefix='日本' has characters this run has no piece for"),
        (["prefix=o", "replace=0:nine"], "prefix= and replace= both say how the translation begins"),
        (
            ["prefix=o", "target=t.txt"],
            "prefix= have a say in the best translation of one run; leave target= and n_best= out, and give one run=",
        ),
        (["n_best=2", "target=t.txt"], "n_best=2 ranks translations, and a target leaves nothing to rank"),
    ],
)
def test_a_mistake_is_one_line_on_stderr(refused, tmp_path, arguments, message):
    (tmp_path / "t.txt").write_text(TARGETS, encoding="utf-8")
    assert refused(*arguments).startswith(f"error: {message}")


def test_no_run_is_one_line_on_stderr(in_process, tmp_path):
    message = "no finished run in runs; train one with `python -m s2s.train` or name one with run=folder"
    assert in_process("inspect", stdin=TEXT) == (2, "", f"error: {message}\n")
    message = "nowhere is no run: it has no config.yaml; train one with `python -m s2s.train`"
    assert in_process("inspect", "run=nowhere", stdin=TEXT) == (2, "", f"error: {message}\n")


def test_the_newest_finished_run_is_taken(in_process, trained):
    code, _, error = in_process("inspect", f"runs_dir={trained.folder.parent}", "device=cpu", stdin=b"eins\n")
    assert (code, error) == (0, f"run: {trained.folder}\n")
