"""Drawings for the terminal: columns stay under their labels in every script, and nothing is left out unsaid."""

import re
import unicodedata
from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray
from rich.cells import cell_len

from s2s.errors import InputError
from s2s.report.sheet import View
from s2s.report.terminal import heatmap_lines, sentence_lines

ESCAPE = re.compile(r"\x1b\[[0-9;]*m")
MARK = "\N{LEFT-TO-RIGHT MARK}"
SENTENCES = {
    "German": "Die Donaudampfschifffahrtsgesellschaft hat dem Touristen gestern einen Pfirsich geliehen , weil er mag",
    "Chinese": "我 昨天 在 商店 买 了 三 个 苹果 ， 因为 它们 很 便宜 又 好吃 。 我 我 我 我 我 我",
    "Arabic": "أنا اشتريت ثلاث تفاحات من المتجر أمس لأنها كانت رخيصة ٣٥ .",
    "Hindi": "मैंने कल बाज़ार से तीन सेब खरीदे । हिन्दी नमस्ते",
    "emoji": "🍎 ❤\ufe0f a🍎b 🇩🇪 x",
    "combining": "e\u0301te\u0301 nai\u0308f \u0301 a\u200bb",
}


def view(source: list[str], target: list[str], weights: NDArray[np.float64] | None = None) -> View:
    """Labels with these weights; by default each target label looks at the source label of its place alone."""
    chosen = np.eye(len(target), len(source)) if weights is None else weights
    return View(tuple(source), tuple(target), chosen, (0.0,) * len(target))


def cells(text: str) -> int:
    """How far a text moves the cursor; vowels of Hindi that stand beside their letter take a cell of their own."""
    beside = [character for character in text if unicodedata.category(character) == "Mc"]
    return cell_len("".join(character for character in text if character not in beside)) + len(beside)


def bands(lines: list[str]) -> Iterator[tuple[range, str, list[str]]]:
    """The columns, the header and the rows of each band."""
    for band in "\n".join(lines[:-2]).split("\n\n"):
        head, *rows = band.split("\n")
        if named := re.fullmatch(r"columns (\d+)–(\d+) of \d+", head):
            yield range(int(named[1]) - 1, int(named[2])), rows[0], rows[1:]
        else:
            yield range(len(rows)), head, rows


def test_rows_are_target_columns_source_and_shades_grow_with_the_weight() -> None:
    weights = np.array([[0.04, 0.06, 0.3, 0.6], [0.8, 0.0, 0.2, 0.0]])
    assert heatmap_lines(view(["我", "苹果", "an", "</s>"], ["I", "apple"], weights), width=40, colour=False) == [
        "      我  苹果 an  </s>",
        "    I     ░░░░ ▒▒▒ ▓▓▓▓",
        "apple ███      ░░░",
        "",
        "0 · 0.05 ░ 0.25 ▒ 0.5 ▓ 0.75 █ 1",
    ]


def test_colours_darken_with_the_weight_and_percents_stand_in_the_cells() -> None:
    weights = np.array([[0.0, 0.04, 0.2, 0.4], [0.6, 0.8, 0.994, 1.0]])
    drawn = "".join(heatmap_lines(view(["a"] * 4, ["x", "y"], weights), width=40, colour=True)[1:3])
    assert re.findall(r"48;5;(\d+)m", drawn) == ["255", "255", "153", "75", "32", "25", "20", "20"]
    tiles = re.findall(r"\dm([^\x1b]*)\x1b\[0m", drawn)
    assert tiles == ["   ", "   ", "20 ", "40 ", "60 ", "80 ", "99 ", "100"]


@pytest.mark.parametrize("width", [40, 80, 200])
@pytest.mark.parametrize("language", SENTENCES)
def test_columns_stand_under_their_labels_in_any_script(language: str, width: int) -> None:
    words = SENTENCES[language].split()
    seen = []
    for columns, header, rows in bands(heatmap_lines(view(words, words), width=width, colour=False)):
        labels = list(re.finditer(r"\S+", header))
        assert len(labels) == len(columns)
        for column, label in zip(columns, labels, strict=True):
            tile = re.search("█+", rows[column])
            assert tile
            assert cells(rows[column][: tile.start()]) == cells(header[: label.start()])
            assert len(tile[0]) == max(3, cells(label[0]))
            seen.append(column)
    assert seen == list(range(len(words)))


@pytest.mark.parametrize("width", [40, 80, 200])
@pytest.mark.parametrize("language", SENTENCES)
def test_colours_stand_where_shades_stand_and_no_line_is_too_wide(language: str, width: int) -> None:
    words = SENTENCES[language].split()
    shaded, coloured = (heatmap_lines(view(words, words), width=width, colour=colour) for colour in (False, True))
    for shades, colours in zip(shaded[:-1], coloured[:-1], strict=True):
        bare = ESCAPE.sub("", colours)
        assert max(cells(shades), cells(bare)) <= width
        if "█" in shades:
            tile = re.search("█+", shades)
            assert tile
            assert bare[tile.start() : tile.end()].strip() == "100"


def test_a_source_wider_than_the_terminal_goes_on_in_bands() -> None:
    lines = heatmap_lines(view(["word"] * 20, ["x", "y"]), width=40, colour=False)
    assert [line for line in lines if line.startswith("columns")] == [
        *("columns 1–7 of 20", "columns 8–14 of 20", "columns 15–20 of 20"),
    ]
    assert "columns" not in "".join(heatmap_lines(view(["word"] * 7, ["x"]), width=40, colour=False))


@pytest.mark.parametrize(
    ("label", "shown"), [("w" * 13, "w" * 11 + "…"), ("我" * 7, "我" * 5 + "…"), ("w" * 12, "w" * 12)]
)
def test_long_labels_end_in_dots(label: str, shown: str) -> None:
    assert heatmap_lines(view([label], ["x"]), width=40, colour=False)[0] == f"  {shown}"


@pytest.mark.parametrize(
    ("label", "shown"),
    [
        ("▁Haus", "Haus"),
        ("▁", "␣"),
        ("", "␣"),
        ("a\tb\r\nc", "a b c"),
        ("\x1b[31mred", "�[31mred"),
        ("\x9b2J\x07", "�2J�"),
        ("\u202eevil\u2066", "evil"),
        ("\ud800", "�"),
        ("می\u200cخواهم", "می\u200cخواهم" + MARK),
    ],
)
def test_labels_are_harmless_and_as_people_write_them(label: str, shown: str) -> None:
    for lines in (
        heatmap_lines(view([label], ["x"]), width=40, colour=False)[:1],
        heatmap_lines(view(["x"], [label]), width=40, colour=False)[1:2],
        sentence_lines(view([label], ["x"])),
        sentence_lines(view(["x"], [label])),
    ):
        assert shown in lines[0]
        unseen = {character for character in lines[0] if unicodedata.category(character) in ("Cc", "Cf", "Cs")}
        assert unseen <= {MARK, "\u200c"}


def test_a_mark_after_arabic_keeps_columns_and_numbers_from_being_turned_round() -> None:
    drawing = view(["أنا", "x", "٣٥"], ["תפוח"], np.array([[0.6, 0.3, 0.1]]))
    assert heatmap_lines(drawing, width=40, colour=False)[0].split() == ["أنا" + MARK, "x", "٣٥" + MARK]
    assert sentence_lines(drawing) == [f"תפוח{MARK} <- أنا{MARK} 0.60, x 0.30, ٣٥{MARK} 0.10"]


def test_a_shortened_arabic_label_keeps_its_mark() -> None:
    assert heatmap_lines(view(["ا" * 13], ["x"]), width=40, colour=False)[0] == "  " + "ا" * 11 + "…" + MARK


def test_sources_come_in_falling_order_and_targets_are_aligned() -> None:
    weights = np.array([[0.06, 0.83, 0.11], [0.5, 0.0, 0.5]])
    assert sentence_lines(view(["我", "苹果", "</s>"], ["apple", "吃"], weights)) == [
        "apple <- 苹果 0.83, </s> 0.11, 我 0.06",
        "吃    <- 我 0.50, </s> 0.50",
    ]


def test_dots_stand_for_what_is_left_out_unless_it_is_nothing() -> None:
    weights = np.array([[0.9, 0.04, 0.06], [0.997, 0.003, 0.0], [0.02, 0.04, 0.03]])
    assert sentence_lines(view(["a", "b", "c"], ["x", "y", "z"], weights)) == [
        "x <- a 0.90, c 0.06, …",
        "y <- a 1.00",
        "z <- b 0.04, …",
    ]
    assert sentence_lines(view(["a", "b", "c"], ["x"], weights[:1]), least=0.0) == ["x <- a 0.90, c 0.06, b 0.04"]


def test_a_sentence_without_target_labels_has_no_lines() -> None:
    assert sentence_lines(view(["a"], [])) == []


@pytest.mark.parametrize("least", [-0.1, 1.1, float("nan")])
def test_a_least_weight_that_is_no_weight_is_refused(least: float) -> None:
    with pytest.raises(InputError, match="expected a number from 0 to 1"):
        sentence_lines(view(["a"], ["x"]), least=least)


def test_a_terminal_too_narrow_for_labels_is_refused() -> None:
    with pytest.raises(InputError, match="width 39 for a heatmap, expected 40 cells or more"):
        heatmap_lines(view(["a"], ["x"]), width=39, colour=False)


@pytest.mark.parametrize("weight", [np.nan, -1.0, 2.0])
def test_weights_that_are_no_attention_are_refused(weight: float) -> None:
    with pytest.raises(InputError, match="outside 0 to 1"):
        heatmap_lines(view(["a"], ["x"], np.array([[weight]])), width=40, colour=True)
