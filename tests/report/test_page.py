"""Pages that hold their data: what is written, and that no text leaves its place."""

import json
from contextlib import suppress
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from s2s.errors import InputError
from s2s.report.page import open_page

TEMPLATE = "<title>{{title}}</title><h1>{{title}}</h1><body>{{data}}</body>"
HOSTILE = [
    "</script><script>alert(1)</script>",
    "<!-- <script>",
    "]]> --> &lt;/script&gt; &amp;",
    "\u2028\u2029\x00\x1f\"'`\\",
    "{{data}} {{title}}",
    "<img src=x onerror=alert(1)>",
]
SURROGATE = "half \ud83d of a pair"


class Reader(HTMLParser):
    """What a browser sees: tags in order, and the text and attributes of script elements."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.scripts: list[tuple[dict[str, str | None], str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag == "script":
            self.scripts.append((dict(attrs), ""))

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1] == "script" and data.strip():
            attributes, text = self.scripts[-1]
            self.scripts[-1] = attributes, text + data


def read(path: Path) -> Reader:
    reader = Reader()
    reader.feed(path.read_text(encoding="utf-8"))
    return reader


@pytest.mark.parametrize("text", [*HOSTILE, SURROGATE])
def test_text_comes_back_as_it_was_and_adds_no_tag(tmp_path: Path, text: str) -> None:
    path = tmp_path / "page.html"
    with open_page(path, TEMPLATE, title=text) as page:
        page.add({"text": text, text: [text]}, summary=text)
    seen = read(path)
    assert seen.tags == ["title", "h1", "body", "script"]
    [(attributes, data)] = seen.scripts
    assert json.loads(data) == {"text": text, text: [text]}
    if text != SURROGATE:
        assert attributes["data-summary"] == text


def test_half_of_a_surrogate_pair_in_title_and_summary_is_written_as_utf_8(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    with open_page(path, TEMPLATE, title=SURROGATE) as page:
        page.add(1, summary=SURROGATE)
    assert path.read_bytes().decode("utf-8").count("half &#55357; of a pair") == 3


def test_data_is_ascii_without_a_character_that_html_knows(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    with open_page(path, "{{data}}", title="") as page:
        page.add(["".join(HOSTILE), "中文"])
    line = path.read_text(encoding="utf-8")
    data = line.removeprefix('<script type="application/json" class="data">').removesuffix("</script>\n")
    assert data.isascii()
    assert not set("<>&") & set(data)


def test_numbers_that_json_has_no_word_for_are_null(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    with open_page(path, TEMPLATE, title="") as page:
        page.add({"a": [float("-inf"), 0.5, (float("nan"),)], "b": "NaN"})
    assert json.loads(read(path).scripts[0][1]) == {"a": [None, 0.5, [None]], "b": "NaN"}


def test_every_value_is_an_element_of_its_kind_and_on_disk_before_the_next(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "page.html"
    with open_page(path, TEMPLATE, title="") as page:
        for count in range(3):
            page.add(count, "sheet")
            assert [data for _, data in read(path).scripts] == [str(number) for number in range(count + 1)]
    assert {attributes["class"] for attributes, _ in read(path).scripts} == {"sheet"}


def test_a_page_that_an_error_ends_can_still_be_read(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    with suppress(KeyboardInterrupt), open_page(path, TEMPLATE, title="") as page:
        page.add(1)
        raise KeyboardInterrupt
    assert path.read_text(encoding="utf-8").endswith("1</script>\n</body>")


def refused(path: Path) -> Any:
    return pytest.raises(InputError, match=f"page '{path}' cannot be written .*; name another one")


def test_a_path_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path, tmp_path / "file" / "page.html"):
        with refused(path):
            open_page(path, TEMPLATE, title="")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_disk_that_is_full_is_told(tmp_path: Path) -> None:
    with refused(Path("/dev/full")):
        open_page("/dev/full", TEMPLATE, title="")
