"""Where sheets go: every suffix, every format of the terminal, and pictures that are numbered."""

import io
import json
import sys

import numpy as np
import pytest

from s2s.errors import InputError
from s2s.report.sheet import Panel, Sheet, View
from s2s.report.terminal import SHADE_SCALE, heatmap_lines, sentence_lines
from s2s.report.words import merge_pieces
from s2s.report.writers import FORMATS, SUFFIXES, file_writer, numbered_pictures, opened_file, opened_writers

PNG = b"\x89PNG"
BEGINS = {
    ".png": PNG,
    ".svg": b"<?xml",
    ".pdf": b"%PDF",
    ".html": b"<!doctype html>",
    ".jsonl": b'{"source": "',
    ".npz": b"PK",
    ".txt": b"best: ",
    ".align": b"0-0 ",
}


def panel(title: str, source: tuple[str, ...], target: tuple[str, ...], links: str = "") -> Panel:
    weights = np.full((len(target), len(source)), 0.1 / (len(source) - 1), dtype=np.float32)
    weights[range(len(target)), range(len(target))] = 0.9
    head = {"head 1": weights[:, ::-1].copy()}
    pieces = View(source, target, weights, tuple(-0.5 - row for row in range(len(target))), head)
    text = "".join(target[:-1]).replace("▁", " ").strip()
    return Panel(title, text, -0.25, -4.5, {"words": merge_pieces(pieces), "pieces": pieces}, links)


GERMAN = ("▁Der", "▁Hund", "▁lä", "uft", "</s>")
BEST = panel("best", GERMAN, ("▁The", "▁dog", "▁run", "s", "</s>"), "0-0 1-1 2-2")
SECOND = panel("second", GERMAN, ("▁A", "▁dog", "</s>"), "0-0 1-1")
DOG = Sheet("Der Hund läuft", (BEST, SECOND), ("a note",))
CHINESE = Sheet("狗跑", (panel("", ("▁狗", "跑", "</s>"), ("▁A", "▁run", "</s>"), "0-0 1-1"),))
EMPTY = Sheet("", ())
SHEETS = (EMPTY, DOG, EMPTY, CHINESE)


class Terminal(io.StringIO):
    """A stdout that a person looks at."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def written(tmp_path):
    """Write sheets to a file, and return it with what was said."""

    def write(name, *sheets, level="words", title="Attention"):
        heard = []
        with file_writer(str(tmp_path / name), level=level, title=title, say=heard.append) as add:
            for sheet in sheets:
                add(sheet)
        return tmp_path / name, heard

    return write


@pytest.fixture
def printed(capsys):
    """Write sheets to the terminal."""

    def write(*sheets, form="heatmap", level="words"):
        with opened_writers(["-"], form=form, level=level, title="", say=pytest.fail) as add:
            for sheet in sheets:
                add(sheet)
        return capsys.readouterr().out

    return write


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_is_what_its_suffix_says_in_folders_that_are_made(written, suffix) -> None:
    path, heard = written(f"new/{suffix.upper()[1:]}/x{suffix}", Sheet(DOG.source, DOG.panels))
    assert path.read_bytes().lower().startswith(BEGINS[suffix].lower())
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    assert heard == []


def test_suffixes_are_read_in_capitals_too(written) -> None:
    assert written("x.PNG", DOG)[0].read_bytes().startswith(PNG)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_no_sentence_is_an_empty_file_or_no_picture(written, tmp_path, suffix) -> None:
    path, _ = written(f"x{suffix}")
    if suffix in (".png", ".svg", ".pdf"):
        assert list(tmp_path.iterdir()) == []
    elif suffix == ".npz":
        with np.load(path) as arrays:
            assert list(arrays) == []
    else:
        assert (suffix == ".html") == bool(path.read_bytes())


@pytest.mark.parametrize(("name", "has"), [("x.gif", ".gif"), ("x", "no suffix"), ("a.png/x", "no suffix")])
def test_another_suffix_is_refused_and_nothing_is_written(tmp_path, name, has) -> None:
    path = tmp_path / name
    with pytest.raises(InputError) as caught:
        file_writer(str(path), level="words", title="", say=pytest.fail)
    known = ".png, .svg, .pdf, .html, .jsonl, .npz, .txt, .align"
    assert str(caught.value) == f"output={path} ends in {has}; expected {known}, or - for the terminal"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_that_cannot_be_written_is_refused(written, tmp_path, suffix) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"cannot be written \(File exists\)|cannot be written \(Not a directory\)"):
        written(f"file/x{suffix}", DOG)


def test_a_folder_in_the_place_of_a_file_is_refused(tmp_path) -> None:
    with pytest.raises(InputError) as caught, opened_file(tmp_path):
        pass
    assert str(caught.value) == f"{tmp_path} cannot be written (Is a directory); give another output="


def test_json_lines_give_every_sheet_back(written) -> None:
    path, _ = written("x.jsonl", *SHEETS)
    rows = [json.loads(line) for line in path.read_text("utf-8").split("\n")[:-1]]
    assert rows == [sheet.as_dict() for sheet in SHEETS]
    assert rows[0] == {"source": "", "notes": [], "panels": []}
    first = rows[1]["panels"][0]
    assert first["links"] == "0-0 1-1 2-2"
    np.testing.assert_allclose(first["views"]["pieces"]["attention"], BEST.views["pieces"].weights, atol=1e-6)
    assert list(first["views"]["words"]["parts"]) == ["head 1"]
    assert "狗" in path.read_text("utf-8")


def test_an_archive_has_an_array_for_everything_under_the_number_of_its_sentence(written) -> None:
    path, _ = written("x.npz", *SHEETS)
    keys = ("attention", "source", "target", "log_probs", "head 1")
    places = {"2/1": BEST, "2/2": SECOND, "4/1": CHINESE.panels[0]}
    with np.load(path, allow_pickle=False) as arrays:
        assert set(arrays) == {f"{place}/{name}/{key}" for place in places for name in BEST.views for key in keys}
        for place, shown in places.items():
            for name, view in shown.views.items():
                own = {key: arrays[f"{place}/{name}/{key}"] for key in keys}
                np.testing.assert_array_equal(own["attention"], view.weights)
                np.testing.assert_array_equal(own["head 1"], view.parts["head 1"])
                assert tuple(own["source"]) == view.source
                assert tuple(own["target"]) == view.target
                assert tuple(own["log_probs"]) == view.log_probs


def test_links_are_those_of_the_first_panel_one_line_for_every_sentence(written, printed) -> None:
    expected = "\n0-0 1-1 2-2\n\n0-0 1-1\n"
    assert written("x.align", *SHEETS)[0].read_text() == expected
    assert printed(*SHEETS, form="links") == expected


def test_the_terminal_has_a_json_line_for_every_sentence(printed) -> None:
    rows = [json.loads(line) for line in printed(*SHEETS, form="jsonl").split("\n")[:-1]]
    assert rows == [sheet.as_dict() for sheet in SHEETS]


@pytest.mark.parametrize("level", ["words", "pieces"])
def test_text_has_notes_a_heading_for_every_panel_and_what_each_word_looked_at(written, printed, level) -> None:
    expected = [
        "a note",
        "best: The dog runs   (score -0.250, log-probability -4.500)",
        *sentence_lines(BEST.views[level]),
        "",
        "second: A dog   (score -0.250, log-probability -4.500)",
        *sentence_lines(SECOND.views[level]),
        "",
        "A run   (score -0.250, log-probability -4.500)",
        *sentence_lines(CHINESE.panels[0].views[level]),
        "",
    ]
    text = "".join(f"{line}\n" for line in expected)
    assert printed(*SHEETS, form="text", level=level) == text
    assert written("x.txt", *SHEETS, level=level)[0].read_text("utf-8") == text


def test_a_pipe_gets_heatmaps_without_colour(printed, monkeypatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    out = printed(CHINESE)
    drawn = heatmap_lines(CHINESE.panels[0].views["words"], width=100, colour=False)
    assert out.split("\n") == ["A run   (score -0.250, log-probability -4.500)", *drawn, "", ""]
    assert "\x1b" not in out


@pytest.mark.parametrize(
    ("columns", "width", "no_colour", "colour"),
    [("60", 60, None, True), ("60", 60, "", True), ("60", 60, "1", False), ("10", 40, None, True)],
)
def test_a_person_gets_the_terminal_s_width_and_colour_unless_told_not_to(
    monkeypatch, columns, width, no_colour, colour
) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.delenv("NO_COLOR", raising=False)
    if no_colour is not None:
        monkeypatch.setenv("NO_COLOR", no_colour)
    with opened_writers(["-"], form="heatmap", level="pieces", title="", say=pytest.fail) as write:
        write(DOG)
    lines = terminal.getvalue().split("\n")
    drawn = heatmap_lines(BEST.views["pieces"], width=width, colour=colour)
    assert lines[2 : 2 + len(drawn)] == drawn
    assert (SHADE_SCALE in lines) == (not colour)


def test_every_output_gets_every_sheet_and_no_line_waits_in_a_buffer(tmp_path, monkeypatch) -> None:
    pipe = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(pipe))
    outputs = [str(tmp_path / "x.jsonl"), "-", str(tmp_path / "x.align")]
    with opened_writers(outputs, form="links", level="words", title="", say=pytest.fail) as write:
        write(DOG)
        assert pipe.getvalue() == b"0-0 1-1 2-2\n"
        write(CHINESE)
    assert pipe.getvalue() == (tmp_path / "x.align").read_bytes() == b"0-0 1-1 2-2\n0-0 1-1\n"
    assert len((tmp_path / "x.jsonl").read_text("utf-8").splitlines()) == 2


def test_files_alone_leave_the_terminal_empty(tmp_path, capsys) -> None:
    with opened_writers([str(tmp_path / "x.txt")], form="text", level="words", title="", say=pytest.fail) as write:
        write(DOG)
    assert capsys.readouterr().out == ""


def test_a_page_holds_all_sentences_under_its_title(written) -> None:
    page = written("x.html", *SHEETS, title="Attention of <a>")[0].read_text("utf-8")
    assert "<title>Attention of &lt;a&gt;</title>" in page
    assert page.count('class="sheet"') == len(SHEETS)
    assert page.rstrip().endswith("</html>")


def test_one_sentence_is_one_picture(written, tmp_path) -> None:
    written("x.svg", DOG)
    assert [path.name for path in tmp_path.iterdir()] == ["x.svg"]
    drawn = (tmp_path / "x.svg").read_text("utf-8")
    assert all(f">{text}<" in drawn for text in ("best", "second", "läuft", "runs"))


def test_pieces_are_drawn_where_asked_and_one_panel_needs_no_title(written) -> None:
    drawn = written("x.svg", Sheet("", (BEST,)), level="pieces")[0].read_text("utf-8")
    assert ">lä<" in drawn
    assert ">läuft<" not in drawn
    assert ">best<" not in drawn


def test_several_sentences_are_numbered_pictures_and_those_without_words_keep_their_numbers(written, tmp_path) -> None:
    written("y.x.svg", *SHEETS)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["y.x-2.svg", "y.x-4.svg"]
    assert ">läuft<" in (tmp_path / "y.x-2.svg").read_text("utf-8")
    assert ">狗<" in (tmp_path / "y.x-4.svg").read_text("utf-8")


def test_what_a_person_should_know_of_a_picture_is_said_with_its_name(tmp_path) -> None:
    heard: list[str] = []
    notices = {"a": "", "b": "cropped", "c": ""}
    drawn = []

    def draw(shown, picture):
        drawn.append((shown, picture.name))
        return notices[shown]

    with numbered_pictures(tmp_path / "x.png", draw, heard.append) as add:
        add("a")
        assert drawn == []
        add("b")
        assert drawn == [("a", "x-1.png"), ("b", "x-2.png")]
        add("c")
    assert drawn[2:] == [("c", "x-3.png")]
    assert heard == [f"{tmp_path / 'x-2.png'}: cropped"]
    with numbered_pictures(tmp_path / "x.png", draw, heard.append) as add:
        add("b")
    assert drawn[3:] == [("b", "x.png")]
    assert heard[1:] == [f"{tmp_path / 'x.png'}: cropped"]


def test_a_picture_of_another_kind_is_refused_before_anything_is_drawn(tmp_path) -> None:
    with (
        pytest.raises(InputError, match=r"picture '.*x\.gif' ends in '\.gif', expected one of \.png, \.svg, \.pdf"),
        numbered_pictures(tmp_path / "x.gif", pytest.fail, pytest.fail),
    ):
        pytest.fail("it began")


def test_an_error_on_the_way_closes_every_file(tmp_path) -> None:
    outputs = [str(tmp_path / name) for name in ("x.jsonl", "x.npz", "x.html")]
    with (
        pytest.raises(AttributeError),
        opened_writers(outputs, form="text", level="words", title="", say=pytest.fail) as write,
    ):
        list(map(write, (DOG, None)))
    assert json.loads((tmp_path / "x.jsonl").read_text("utf-8")) == DOG.as_dict()
    assert (tmp_path / "x.html").read_text("utf-8").rstrip().endswith("</html>")
    with np.load(tmp_path / "x.npz") as arrays:
        assert "1/1/words/attention" in arrays


def test_there_is_a_test_for_every_format_and_suffix() -> None:
    assert set(FORMATS) == {"heatmap", "text", "jsonl", "links"}
    assert set(SUFFIXES) == set(BEGINS)
