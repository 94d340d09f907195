"""The page to explore attention in: what is written, and what a browser makes of it."""

import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from s2s.errors import InputError
from s2s.report.gallery import Gallery
from s2s.report.sheet import Panel, Sheet, View
from s2s.report.words import merge_pieces

CHROMIUM = shutil.which("chromium")
HOSTILE = '</script><script>document.title="taken"</script><img src=x onerror=document.title="taken"><!--'
GERMAN = ("▁Der", "▁Hund", "▁lä", "uft", "</s>")
FIRST = ("▁The", "▁dog", "▁run", "s", "</s>")
SECOND = ("▁A", "▁hound", "▁walks", "</s>")
CHINESE = ("▁狗", "在", "跑", "</s>")
ARABIC = ("▁الكلب", "▁يج", "ري", "</s>")


def sharp(targets: int, sources: int, weight: float = 0.8) -> np.ndarray:
    """Attention that steps through the source, the rest spread evenly; rows sum to one."""
    weights = np.full((targets, sources), (1 - weight) / (sources - 1))
    for row in range(targets):
        weights[row, min(row, sources - 1)] = weight
    return weights


def panel(title: str, source: tuple[str, ...], target: tuple[str, ...], weight: float = 0.8) -> Panel:
    heads = {"head 1": sharp(len(target), len(source), 0.9), "head 2": sharp(len(target), len(source), 0.3)}
    log_probs = tuple(float(np.log(0.5 + 0.1 * (row % 5))) for row in range(len(target)))
    pieces = View(source, target, sharp(len(target), len(source), weight), log_probs, heads)
    text = "".join(target[:-1]).replace("▁", " ").strip()
    return Panel(title, text, -0.25, sum(log_probs), {"pieces": pieces, "words": merge_pieces(pieces)})


GERMAN_SHEET = Sheet(
    "Der Hund läuft", (panel("first", GERMAN, FIRST), panel("second", GERMAN, SECOND)), ("a note", "another")
)
CHINESE_SHEET = Sheet("狗在跑", (panel("best", CHINESE, FIRST),))
ARABIC_SHEET = Sheet("الكلب يجري", (panel("best", ARABIC, FIRST),))
MOMENTS = Sheet(
    "Der Hund läuft", tuple(panel(f"update {n}", GERMAN, FIRST, weight) for n, weight in ((500, 0.3), (1000, 0.9)))
)
LONG = tuple(f"▁Wort{number}" for number in range(60))


def write(path: Path, *sheets: Sheet, title: str = "Attention", frames: bool = False) -> Path:
    with Gallery(path, title=title, frames=frames) as gallery:
        for sheet in sheets:
            gallery.add(sheet)
    return path


def sheets_in(path: Path) -> list[Any]:
    return [json.loads(text) for text in re.findall(r'class="sheet"[^>]*>(.*)</script>', path.read_text("utf-8"))]


def test_every_sheet_is_written_when_it_comes_and_reads_back_the_same(tmp_path: Path) -> None:
    path, sheets = tmp_path / "new" / "page.html", [GERMAN_SHEET, CHINESE_SHEET, ARABIC_SHEET, Sheet(" ", ())]
    with Gallery(path, title="Attention") as gallery:
        for count, sheet in enumerate(sheets, 1):
            gallery.add(sheet)
            assert sheets_in(path) == [sheet.as_dict() for sheet in sheets[:count]]


def test_a_page_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be written"):
        Gallery(tmp_path, title="Attention")


def test_the_template_names_no_address_and_holds_no_handler_in_an_attribute(tmp_path: Path) -> None:
    page = write(tmp_path / "page.html").read_text("utf-8")
    assert re.findall(r"https?://|\bsrc=|\bhref=|url\(|@import|\son\w+=|innerHTML|insertAdjacentHTML", page) == []


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="s2s[browser] is not installed")
    if CHROMIUM is None:
        pytest.skip("no chromium on the PATH to draw the page with")
    with playwright.sync_playwright() as running:
        started = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started.new_context(reduced_motion="reduce", viewport={"width": 1200, "height": 800})
        started.close()


Show = Callable[..., Any]


@pytest.fixture
def show(browser: Any, tmp_path: Path) -> Iterator[Show]:
    """Open sheets in a browser; afterwards no error was logged, no dialog was seen, no request left the file."""
    heard: list[str] = []
    pages = []

    def opened(*sheets: Sheet, colours: str = "light", **options: Any) -> Any:
        path = write(tmp_path / "page.html", *sheets, **options)
        page = browser.new_page()
        pages.append(page)
        page.emulate_media(color_scheme=colours)
        page.set_default_timeout(15_000)
        page.on("console", lambda message: heard.append(message.text))
        page.on("pageerror", lambda error: heard.append(str(error)))
        page.on("dialog", lambda dialog: (heard.append(dialog.message), dialog.dismiss()))
        page.on("request", lambda request: request.url.startswith("file://") or heard.append(request.url))
        page.goto(path.as_uri())
        return page

    yield opened
    for page in pages:
        page.close()
    assert heard == []


def labels(page: Any, side: str, block: int = 0) -> list[str]:
    return page.locator(".block").nth(block).locator(f".flow.{side} .label").all_inner_texts()


def lit(page: Any, side: str, block: int = 0) -> list[str | None]:
    """The background of every label of a text, None where it has none."""
    tokens = page.locator(".block").nth(block).locator(f".flow.{side} .token")
    return [colour or None for colour in tokens.evaluate_all("all => all.map(one => one.style.backgroundColor)")]


def lightness(colour: str) -> float:
    return sum(part * int(value) for part, value in zip((0.21, 0.72, 0.07), re.findall(r"\d+", colour), strict=True))


def focused(page: Any) -> str:
    return page.evaluate("document.activeElement.querySelector('.label')?.textContent ?? ''")


def test_a_sentence_is_shown_with_its_notes_panels_scores_and_probabilities(show: Show) -> None:
    page = show(GERMAN_SHEET, CHINESE_SHEET, title="Attention of a run")
    assert page.title() == page.locator("h1").inner_text() == "Attention of a run"
    assert page.locator("#source").inner_text() == "Der Hund läuft"
    assert page.locator("#notes li").all_inner_texts() == ["a note", "another"]
    assert page.locator("#tabs button").first.inner_text().split("\n") == ["first", "The dog runs", "−0.250", "−1.89"]
    assert labels(page, "source") == ["Der", "Hund", "läuft", "</s>"]
    assert labels(page, "target") == ["The", "dog", "runs", "</s>"]
    assert page.locator(".flow.target .number").all_inner_texts() == [".50", ".60", ".56", ".90"]
    widths = page.locator(".chance i").evaluate_all("all => all.map(one => parseFloat(one.style.width))")
    np.testing.assert_allclose(widths, [50, 60, 56, 90], atol=1e-3)


def test_a_click_on_another_hypothesis_shows_it(show: Show) -> None:
    page = show(GERMAN_SHEET)
    page.locator("#tabs button").nth(1).click()
    assert labels(page, "target") == ["A", "hound", "walks", "</s>"]
    assert page.locator("#tabs button[aria-selected=true] .title").inner_text() == "second"


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_pointing_at_a_target_word_lights_the_source_by_its_row(show: Show, colours: str) -> None:
    page = show(GERMAN_SHEET, colours=colours)
    assert lit(page, "source") == [None] * 4
    page.locator(".flow.target .token").nth(1).hover()
    shades = lit(page, "source")
    assert shades == page.locator("tbody tr").nth(1).locator("td").evaluate_all(
        "all => all.map(one => one.style.backgroundColor)"
    )
    # More weight is darker on a light page and lighter on a dark one.
    strongest = min if colours == "light" else max
    assert strongest(range(4), key=lambda index: lightness(shades[index] or "")) == 1
    page.mouse.move(1, 1)
    assert lit(page, "source") == [None] * 4


def test_pointing_at_a_source_word_lights_the_target_by_its_column(show: Show) -> None:
    page = show(GERMAN_SHEET)
    page.locator(".flow.source .token").nth(0).hover()
    shades = lit(page, "target")
    assert min(range(4), key=lambda index: lightness(shades[index] or "")) == 0
    assert lit(page, "source") == [None] * 4


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_the_scale_is_monotone_in_lightness(show: Show, colours: str) -> None:
    weights = np.linspace(0, 1, 21)[None]
    view = View(tuple(map(str, range(21))), ("x",), weights, (0.0,))
    page = show(Sheet("numbers", (Panel("one", "x", 0.0, 0.0, {"pieces": view}),)), colours=colours)
    shades = page.locator("td").evaluate_all("all => all.map(one => one.style.backgroundColor)")
    steps = np.diff([lightness(shade) for shade in shades])
    assert (steps < 0).all() if colours == "light" else (steps > 0).all()


def test_a_cell_tells_its_source_target_and_weight_and_lights_both_texts(show: Show) -> None:
    page = show(GERMAN_SHEET)
    page.locator("tbody tr").nth(1).locator("td").nth(0).hover()
    assert page.locator("#tip dd").all_inner_texts() == ["Der", "dog", "0.050"]
    assert page.locator("th.on .label").all_inner_texts() == ["Der", "dog"]
    assert page.locator(".token.on .label").all_inner_texts() == ["Der", "dog"]
    assert page.locator(".band:visible").count() == 2


def test_pieces_and_words_are_two_views_of_the_same(show: Show) -> None:
    page = show(GERMAN_SHEET)
    page.locator("#views button", has_text="pieces").click()
    assert labels(page, "source") == ["␣Der", "␣Hund", "␣lä", "uft", "</s>"]
    assert page.locator("thead th .label").all_inner_texts() == ["␣Der", "␣Hund", "␣lä", "uft", "</s>"]
    page.keyboard.press("w")
    assert labels(page, "source") == ["Der", "Hund", "läuft", "</s>"]


def test_heads_can_be_chosen_and_values_shown(show: Show) -> None:
    page = show(GERMAN_SHEET)
    page.keyboard.press("w")
    cell = page.locator("td").first
    assert cell.inner_text() == ""
    page.keyboard.press("v")
    assert cell.inner_text() == ".80"
    page.locator("#matrix").select_option("head 2")
    assert cell.inner_text() == ".30"
    page.locator("h1").click()
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("h")
    assert cell.inner_text() == ".80"
    page.keyboard.press("h")
    assert cell.inner_text() == ".90"


def test_arrow_keys_move_through_target_words_and_light_the_source(show: Show) -> None:
    page = show(GERMAN_SHEET)
    page.locator(".flow.target .token").first.focus()
    for key, word in (("ArrowRight", "dog"), ("ArrowDown", "runs"), ("ArrowLeft", "dog"), ("End", "</s>")):
        page.keyboard.press(key)
        assert focused(page) == word
        assert page.locator(".flow.target .token.on .label").all_inner_texts() == [word]
        assert None not in lit(page, "source")
    page.keyboard.press("Escape")
    assert lit(page, "source") == [None] * 4


def test_arrow_keys_move_through_the_matrix_and_it_is_said(show: Show) -> None:
    page = show(GERMAN_SHEET)
    page.locator(".matrix").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    assert page.locator("#status").inner_text() == "The looks at Hund: 0.050"
    assert page.locator("#tip dd").all_inner_texts() == ["Hund", "The", "0.050"]


def test_keys_choose_sentence_and_panel_and_keep_the_focus(show: Show) -> None:
    page = show(GERMAN_SHEET, CHINESE_SHEET)
    page.locator(".flow.target .token").nth(1).focus()
    page.keyboard.press("2")
    assert focused(page) == "hound"
    page.keyboard.press("n")
    assert page.locator("#source").inner_text() == "狗在跑"
    assert labels(page, "source") == ["狗", "在", "跑", "</s>"]
    assert page.locator("#list [aria-current=true] .line").text_content() == "狗在跑"
    page.keyboard.press("p")
    assert page.locator("#source").inner_text() == "Der Hund läuft"


def test_the_filter_finds_sentences_by_source_hypothesis_and_note(show: Show) -> None:
    page = show(GERMAN_SHEET, CHINESE_SHEET, ARABIC_SHEET)
    for sought, found in (
        ("狗", ["狗在跑"]),
        ("HOUND", ["Der Hund läuft"]),
        ("another", ["Der Hund läuft"]),
        ("zzz", []),
    ):
        page.locator("#filter").fill(sought)
        assert page.locator("#list li:not([hidden]) .line").all_text_contents() == found
        assert page.locator("#count").inner_text() == f"{len(found)} of 3 sentences"


def test_side_by_side_shows_all_panels_and_a_source_word_is_lit_in_all(show: Show) -> None:
    page = show(Sheet("Der Hund", (panel("first", GERMAN, FIRST), panel("long", GERMAN, (*LONG, "</s>")))))
    page.locator("#side").click()
    assert page.locator(".block h3").all_inner_texts() == ["first", "long"]
    assert [labels(page, "target", block)[1] for block in (0, 1)] == ["dog", "Wort1"]
    boxes = [page.locator("table").nth(block).bounding_box() for block in (0, 1)]
    assert boxes[0]["y"] == boxes[1]["y"]
    assert boxes[0]["x"] < boxes[1]["x"]
    page.locator(".block").first.locator(".flow.source .token").first.hover()
    assert None not in lit(page, "target", 0) + lit(page, "target", 1)
    page.locator(".block").first.locator(".flow.target .token").first.hover()
    assert lit(page, "source", 1) == [None] * 4


def test_moments_are_on_a_slider_that_plays_to_its_end(show: Show) -> None:
    page = show(MOMENTS, frames=True)
    page.keyboard.press("v")
    shown = page.locator("#moment-title")
    cell = page.locator("td").first
    assert page.locator("#tabs button").count() == 0
    assert (shown.inner_text(), cell.inner_text()) == ("update 500", ".30")
    page.locator("#moment").fill("1")
    assert (shown.inner_text(), cell.inner_text()) == ("update 1000", ".90")
    page.locator("#play").click()
    assert shown.inner_text() == "update 500"
    page.locator("#play", has_text="Play").wait_for()
    assert (shown.inner_text(), cell.inner_text()) == ("update 1000", ".90")


def test_text_from_right_to_left_reads_so_and_arrows_follow_the_eye(show: Show) -> None:
    page = show(ARABIC_SHEET)
    assert page.locator("#source").evaluate("one => getComputedStyle(one).direction") == "rtl"
    places = page.locator(".flow.source .token").evaluate_all("all => all.map(one => one.getBoundingClientRect().x)")
    assert places == sorted(places, reverse=True)
    places = page.locator(".flow.target .token").evaluate_all("all => all.map(one => one.getBoundingClientRect().x)")
    assert places == sorted(places)
    page.locator(".flow.source .token").first.focus()
    page.keyboard.press("ArrowLeft")
    assert focused(page) == "يجري"


def test_every_text_of_a_user_says_that_its_language_is_unknown(show: Show) -> None:
    page = show(GERMAN_SHEET)
    texts = "#source, .label, .line, #tabs .text, #tabs .title, #notes li, h1"
    assert page.locator(texts).evaluate_all("all => all.every(one => one.closest('[lang]').lang === '')")


def test_labels_of_a_long_sentence_stay_while_its_matrix_scrolls(show: Show) -> None:
    page = show(Sheet("long", (panel("one", (*LONG, "</s>"), (*LONG, "</s>")),)), GERMAN_SHEET)
    matrix = page.locator(".matrix")
    matrix.scroll_into_view_if_needed()
    assert page.locator(".matrix.slanted").count() == 1
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    places = "[...document.querySelectorAll('thead, tbody th:first-child')].map(one => one.getBoundingClientRect())"
    before = page.evaluate(f"{places}.map(box => [box.x, box.y])")
    matrix.evaluate("one => one.scrollTo(150, 300)")
    after = page.evaluate(f"{places}.map(box => [box.x, box.y])")
    assert matrix.evaluate("one => [one.scrollLeft, one.scrollTop]") == [150, 300]
    assert before[0][1] == after[0][1]
    assert before[5][0] == after[5][0]
    page.locator(".flow.target .token").nth(59).focus()
    cell, box = page.locator("tbody tr").nth(59).bounding_box(), matrix.bounding_box()
    assert box["y"] <= cell["y"] <= box["y"] + box["height"] - cell["height"] + 1


def test_short_labels_stand_level_and_cells_can_be_zoomed(show: Show) -> None:
    page = show(CHINESE_SHEET)
    cell = page.locator("td").first
    assert page.locator("thead th .label").first.evaluate("one => getComputedStyle(one).transform") == "none"
    before = cell.bounding_box()["width"]
    page.keyboard.press("+")
    assert cell.bounding_box()["width"] > before
    page.keyboard.press("-")
    page.keyboard.press("-")
    assert cell.bounding_box()["width"] < before


def test_the_colours_follow_the_system_and_can_be_switched(show: Show) -> None:
    page = show(GERMAN_SHEET, colours="dark")
    surface = "getComputedStyle(document.querySelector('.block')).backgroundColor"
    dark = lightness(page.evaluate(surface))
    page.locator("#theme").click()
    assert dark < 60 < 200 < lightness(page.evaluate(surface))


def test_help_opens_with_a_key_and_closes_with_escape(show: Show) -> None:
    page = show(GERMAN_SHEET)
    page.keyboard.press("?")
    assert page.locator("#help").is_visible()
    page.keyboard.press("n")
    page.keyboard.press("Escape")
    assert not page.locator("#help").is_visible()


def test_a_line_without_words_and_a_page_without_sentences_say_so(show: Show) -> None:
    page = show(Sheet("  ", ()), GERMAN_SHEET)
    for key in "whsv1+-":
        page.keyboard.press(key)
    assert page.locator("#notes li").all_inner_texts() == ["There is nothing to show here."]
    page.keyboard.press("n")
    assert labels(page, "source") != []
    assert show().locator("#notes li").all_inner_texts() == ["There are no sentences in this page."]


def test_a_page_that_was_cut_off_shows_what_was_written(show: Show, tmp_path: Path) -> None:
    page = show(GERMAN_SHEET, CHINESE_SHEET)
    path = tmp_path / "page.html"
    whole = path.read_text("utf-8")
    path.write_text(whole[: whole.rindex('"views"')], "utf-8")
    page.reload()
    assert labels(page, "target") == ["The", "dog", "runs", "</s>"]
    page.keyboard.press("n")
    assert page.locator("#notes li").first.inner_text() == "This sentence was not written to its end."


@pytest.mark.parametrize("text", [HOSTILE, "\ud83d ‮ \u2028 <b>", "__proto__", "[object Object] {{data}}"])
def test_hostile_text_is_only_text(show: Show, text: str) -> None:
    view = View((text, "</s>"), (text, "</s>"), sharp(2, 2), (-0.1, float("-inf")), {text: sharp(2, 2)})
    hostile = Sheet(text, (Panel(text, text, float("nan"), -1.0, {text: view, "words": view}),) * 2, (text,))
    page = show(hostile, GERMAN_SHEET, title=text)
    for key in "wwhhsv":
        page.keyboard.press(key)
    page.locator("td").first.hover()
    page.locator(".flow.target .token").first.hover()
    shown = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    assert page.locator("#notes li").evaluate_all("all => all[0].textContent.toWellFormed()") == shown
    assert page.title() != "taken"
    assert page.locator("img, b, iframe").count() == 0
    assert page.locator("script").count() == 4
