"""The page of a comparison: what is written, and what a browser makes of it."""

import json
import random
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from s2s.errors import InputError
from s2s.report.corpus_metrics import bleu_words, metrics_by_name
from s2s.report.counted_systems import System
from s2s.report.score import Score
from s2s.report.systems import Comparison, compare_systems
from s2s.report.systems_page import write_systems_page
from s2s.report.systems_record import comparison_record, sentence_records

CHROMIUM = shutil.which("chromium")
HOSTILE = "<img src=x onerror=\"document.title='hit'\"></script><script>document.title='hit'</script>{{data}}<!--"
REFERENCES = ["the old dog sleeps here", "a cat eats the small fish", "we drink tea"]
SOURCES = ["der alte Hund schläft hier", "eine Katze frisst den kleinen Fisch", "wir trinken Tee"]
FIRST = ["the old dog sleeps there", "a cat eats a small fish", "we drink tea"]
SECOND = ["the old dog sleeps here", "a dog eats a small fish", "we drink tea"]


def compared(
    *systems: System,
    references: list[str] = REFERENCES,
    names: tuple[str, ...] = ("bleu", "chrf++", "ter"),
    **rest: Any,
) -> Comparison:
    metrics = metrics_by_name(list(names), None)
    return compare_systems(systems, references, metrics=metrics, cut=bleu_words(None), say=lambda line: None, **rest)


WHOLE = compared(
    System("first", FIRST, (Score("AER", 12.5, "words"),)),
    System("second", SECOND),
    sources=SOURCES,
    training=["the old dog", "a cat"],
)


def data_of(page: str, kind: str) -> list[Any]:
    return [json.loads(text) for text in re.findall(rf'class="{kind}"[^>]*>(.*?)</script>', page)]


def test_the_page_holds_the_whole_comparison_as_data(tmp_path: Path) -> None:
    path = tmp_path / "new" / "page.html"
    write_systems_page(WHOLE, path, title="<b>Two & more</b>")
    page = path.read_text(encoding="utf-8")
    assert "<title>&lt;b&gt;Two &amp; more&lt;/b&gt;</title>" in page
    assert data_of(page, "comparison") == [comparison_record(WHOLE)]
    assert data_of(page, "sentences") == [sentence_records(WHOLE)]


def test_the_template_names_no_address_and_holds_no_handler_in_an_attribute(tmp_path: Path) -> None:
    write_systems_page(WHOLE, tmp_path / "page.html", title="Systems")
    page = (tmp_path / "page.html").read_text(encoding="utf-8").replace('"http://www.w3.org/2000/svg"', "")
    assert re.findall(r"https?://|\bsrc=|\bhref=|url\(|@import|\son\w+=|innerHTML|insertAdjacentHTML", page) == []
    assert "default-src 'none'" in page


def test_a_page_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be written"):
        write_systems_page(WHOLE, tmp_path, title="Systems")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="s2s[browser] is not installed")
    if CHROMIUM is None:
        pytest.skip("no chromium on the PATH to draw the page with")
    with playwright.sync_playwright() as session:
        started = session.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def look(browser: Any, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Write a comparison and open its page, which may neither fail nor ask for anything but itself."""
    context = browser.new_context(viewport={"width": 1200, "height": 900})
    page, problems = context.new_page(), []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda message: problems.append(message.text))
    page.on("dialog", lambda dialog: problems.append(dialog.message))
    page.on("request", lambda request: request.url.startswith("file://") or problems.append(request.url))

    def look(comparison: Comparison, *, width: int = 1200, colours: str = "light", title: str = "Systems") -> Any:
        path = tmp_path / "page.html"
        write_systems_page(comparison, path, title=title)
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=colours)
        page.goto(path.as_uri())
        return page

    yield look
    assert problems == []
    context.close()


def rows(page: Any, place: str) -> list[list[str]]:
    found = page.locator(f"{place} tbody tr").all()
    return [[" ".join(cell.split()) for cell in row.locator("th, td").all_inner_texts()] for row in found]


def test_scores_and_differences_stand_in_tables(look: Callable[..., Any]) -> None:
    page = look(WHOLE)
    first, second = (WHOLE.scores["BLEU"][number] for number in (0, 1))
    table = rows(page, "#scores")
    assert table[0][:2] == ["first", f"{first.value:.2f} ± {first.confidence:.2f}"]
    assert table[0][4] == "12.50"
    assert table[1][:2] == ["second", f"{second.value:.2f} ± {second.confidence:.2f}"]
    assert table[1][4] == "–"
    [difference] = WHOLE.differences["TER"]
    tests = rows(page, "#tests")
    assert tests[2][1:] == ["TER ↓", "0.00", f"{difference.bootstrap_p:.4f}", "1.0000", "1", "1", "1"]
    assert page.locator("#signatures dd").first.text_content() == first.signature


def test_plots_have_a_title_a_description_and_a_table(look: Callable[..., Any]) -> None:
    page = look(WHOLE)
    page.wait_for_selector("#plots svg polyline")
    titles = page.locator("figure svg > title").all_text_contents()
    assert titles == [
        "BLEU of each system with its 95 % confidence interval",
        "chrF2++ of each system with its 95 % confidence interval",
        "TER of each system with its 95 % confidence interval",
        "BLEU by words of the source",
        "BLEU by training frequency of the rarest reference word",
        "F-measure of words by their frequency in training",
    ]
    names = page.evaluate(
        "[...document.querySelectorAll('svg[role=img]')].map((one) => one.getAttribute('aria-labelledby').split(' ')"
        ".map((id) => document.getElementById(id).textContent).join(': '))"
    )
    assert all("first" in name and "second" in name for name in names)
    [by_length] = [name for name in names if name.startswith("BLEU by words of the source: ")]
    bucket = WHOLE.by_length[0]
    assert f"{bucket.label}: first {bucket.scores['BLEU'][0].value:.2f} ± " in by_length
    page.locator("#plots summary").first.click()
    assert rows(page, "#plots figure:first-child")[0][:2] == ["1–5", "2"]


def test_another_metric_is_plotted_when_it_is_chosen(look: Callable[..., Any]) -> None:
    page = look(WHOLE)
    page.locator("#plotted").select_option("TER")
    page.wait_for_selector("#plots svg polyline")
    assert page.locator("#plots h3").all_inner_texts()[:2] == [
        "TER ↓ by words of the source",
        "TER ↓ by training frequency of the rarest reference word",
    ]


def lines(page: Any) -> list[str]:
    found: list[str] = page.locator("#list h3").all_text_contents()
    return found


def test_sentences_are_searched_and_sorted(look: Callable[..., Any]) -> None:
    page = look(WHOLE)
    assert lines(page) == ["line 1", "line 2", "line 3"]
    page.locator("#order").select_option("largest loss")
    assert lines(page) == ["line 2", "line 3", "line 1"]
    page.locator("#order").select_option("largest gain")
    assert lines(page)[0] == "line 1"
    page.locator("#metric").select_option("TER")
    assert lines(page)[0] == "line 1"
    page.locator("#order").select_option("lowest score")
    assert lines(page)[0] == "line 2"
    page.locator("#sought").fill("KATZE")
    assert lines(page) == ["line 2"]
    assert page.locator("#count").inner_text() == "1 of 3 sentences"
    page.locator("#sought").fill("nowhere")
    assert lines(page) == []


def test_words_that_differ_are_marked(look: Callable[..., Any]) -> None:
    page = look(WHOLE)
    assert page.locator("mark").all_text_contents() == ["there", "a", "dog", "a"]
    page.locator("#marks").select_option("words the baseline lacks")
    assert page.locator("mark").all_text_contents() == ["here", "dog"]
    page.locator("#marks").select_option("nothing")
    assert page.locator("mark").count() == 0
    assert page.locator("#list dd.text").all_text_contents()[:4] == [SOURCES[0], REFERENCES[0], FIRST[0], SECOND[0]]


def test_chinese_is_marked_by_characters_and_arabic_runs_from_right_to_left(look: Callable[..., Any]) -> None:
    references = ["我们明天见面。", "الكلب الكبير يجري"]
    outputs = ["我们今天见面。", "الكلب الصغير يجري"]
    page = look(compared(System("one", outputs), references=references))
    assert page.locator("mark").all_text_contents() == ["今", "الصغير"]
    directions = page.evaluate(
        "[...document.querySelectorAll('#list dd.text')].map((one) => getComputedStyle(one).direction)"
    )
    assert directions == ["ltr", "ltr", "rtl", "rtl"]


def test_one_system_has_no_differences_to_show(look: Callable[..., Any]) -> None:
    page = look(compared(System("one", FIRST), names=("exact", "wer")))
    assert not page.locator("#differences").is_visible()
    assert not page.locator("#kinds").is_visible()
    assert "largest gain" not in page.locator("#order").inner_text()
    assert page.locator("#list .figures b").first.inner_text() == "exact match 0.0"


def test_hostile_text_is_only_text(look: Callable[..., Any]) -> None:
    hostile = [HOSTILE, *REFERENCES[1:]]
    systems = System(HOSTILE, [HOSTILE, *FIRST[1:]]), System("b", SECOND)
    page = look(
        compared(*systems, references=hostile, sources=hostile, training=[HOSTILE], names=("bleu", "chrf++")),
        title=HOSTILE,
    )
    page.wait_for_selector("#plots svg polyline")
    page.locator("#order").select_option("largest loss")
    page.locator("summary").first.click()
    assert page.title() == HOSTILE
    assert page.locator("h1").inner_text() == HOSTILE
    assert page.locator("img").count() == 0
    assert page.locator("#list dd.text").all_text_contents()[:3] == [HOSTILE] * 3


@pytest.mark.parametrize("colours", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1200])
def test_nothing_is_wider_than_the_window_and_letters_stand_out(
    look: Callable[..., Any], width: int, colours: str
) -> None:
    systems = System("a-very-long-name-of-a-system-with-many-options.txt", FIRST), System("second", SECOND)
    page = look(compared(*systems, sources=SOURCES, training=REFERENCES), width=width, colours=colours)
    page.wait_for_selector("#plots svg polyline")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    root = "getComputedStyle(document.documentElement)"
    paper, ink, quiet = page.evaluate(f"['--surface', '--ink', '--quiet'].map((name) => {root}.getPropertyValue(name))")
    assert contrast(ink, paper) > 10
    assert contrast(quiet, paper) > 4.5
    filled = page.evaluate("getComputedStyle(document.querySelector('#plots svg text')).fill")
    background = page.evaluate("getComputedStyle(document.querySelector('figure')).backgroundColor")
    assert contrast(filled, background) > 4.5


def contrast(one: str, other: str) -> float:
    """WCAG's ratio of luminances of two colours, ``#rgb``, ``#rrggbb`` or ``rgb(…)``."""

    def luminance(colour: str) -> float:
        digits = colour.strip().removeprefix("#")
        if digits.startswith("rgb"):
            parts = [int(part) for part in re.findall(r"\d+", digits)[:3]]
        else:
            wide = "".join(2 * digit for digit in digits) if len(digits) == 3 else digits
            parts = [int(wide[place : place + 2], 16) for place in (0, 2, 4)]
        linear = [part / 255 / 12.92 if part <= 10 else ((part / 255 + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)


def test_a_thousand_sentences_of_four_systems_are_shown_at_once(look: Callable[..., Any]) -> None:
    draw = random.Random(3)
    references = [" ".join(f"w{draw.randrange(900)}" for _ in range(20)) for _ in range(1000)]
    systems = [
        System(
            name,
            [re.sub(r"\d+", lambda number: number[0] if draw.random() < 0.7 else "0", line) for line in references],
        )
        for name in "abcd"
    ]
    page = look(compared(*systems, references=references, names=("wer",)))
    assert page.evaluate("performance.timing.domContentLoadedEventEnd - performance.timing.responseStart") < 3000
    assert page.locator("#list > li").count() == 50
    page.locator("#more").click()
    assert page.locator("#list > li").count() == 100
    assert page.locator("#more").inner_text() == "Show 50 more of 900"
    page.locator("#sought").fill(references[777])
    assert lines(page) == ["line 778"]
    assert not page.locator("#more").is_visible()
