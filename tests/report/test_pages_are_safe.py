"""Every page, with hostile text wherever text can stand: no element and no attribute comes of it."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from s2s.report.beam_record import BeamTree, Branch
from s2s.report.beam_tree import write_beam_trees
from s2s.report.corpus_metrics import bleu_words, metrics_by_name
from s2s.report.counted_systems import System
from s2s.report.gallery import Gallery
from s2s.report.score import Score
from s2s.report.sheet import Panel, Sheet, View
from s2s.report.suspects import write_report
from s2s.report.systems import compare_systems
from s2s.report.systems_page import write_systems_page

HOSTILE = [
    "</script><script>alert(1)</script>",
    "<!--",
    "<!-- <script>",
    "--> ]]> <![CDATA[",
    "<img src=x onerror=alert(1)>",
    '" onmouseover="alert(1)" x=\'',
    "' autofocus onfocus='alert(1)",
    "</title><svg onload=alert(1)>",
    "&lt;script&gt; &#60;b&#62; &amp;",
    "\u2028\u2029\x00\x0b\x1b[31m\u202e",
    "{{data}}{{title}}",
    "javascript:alert(1)",
    "</h1></body></html><h1>",
    "__proto__",
    "``${alert(1)}\\",
    "狗<b>在跑</b>",
]
Write = Callable[[Path, str], None]


def view(text: str) -> View:
    weights = np.full((2, 2), 0.5)
    return View((text, "</s>"), (text, "</s>"), weights, (-1.0, -2.0), {text: weights})


def sheet(text: str) -> Sheet:
    views = {"words": view(text), "pieces": view(text)}
    return Sheet(text, (Panel(text, text, -1.0, -2.0, views, links=text),), (text,))


def gallery(path: Path, text: str) -> None:
    """Attention of one run or several, or over the training of one."""
    for frames in (False, True):
        with Gallery(path, title=text, frames=frames) as page:
            page.add(sheet(text))


def suspicious(path: Path, text: str) -> None:
    """A report of suspicious translations."""
    write_report([sheet(text)], [str(path)], count=1, title=text)


def trees(path: Path, text: str) -> None:
    """The search as a tree."""
    own = Branch(-1, text, math.log(0.5), math.log(0.5), "alive", None)
    end = Branch(0, "</s>", math.log(0.5), math.log(0.25), "won", math.log(0.25) / (7 / 6))
    tree = BeamTree(text, ((own,), (end,)), 1, 1.0, 0.0, text)
    write_beam_trees([tree, replace(tree, steps=())], path, title=text)


def systems(path: Path, text: str) -> None:
    """A comparison of systems."""
    outputs = (System(f"{text} 1", [text, "a b"], (Score(text, 1.0, text),)), System(f"{text} 2", ["c", text]))
    references = {"sources": [text, "c"], "training": [text], "say": lambda line: None}
    metrics = metrics_by_name(["bleu", "ter"], None)
    compared = compare_systems(outputs, [text, "a"], metrics=metrics, cut=bleu_words(None), **references)
    write_systems_page(compared, path, title=text)


class Reader(HTMLParser):
    """Elements and attributes in order, the values of attributes but for the one of our data, and what scripts hold."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.shape: list[Any] = []
        self.data: list[str] = []
        self._in_data = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.shape.append((tag, [(name, name == "data-summary" or value) for name, value in attrs]))
        self._in_data = ("type", "application/json") in attrs
        self.data += [""] * self._in_data

    def handle_endtag(self, tag: str) -> None:
        self.shape.append(f"/{tag}")
        self._in_data = False

    def handle_data(self, data: str) -> None:
        if self._in_data:
            self.data[-1] += data

    def handle_comment(self, data: str) -> None:
        self.shape.append("a comment")

    def handle_decl(self, decl: str) -> None:
        self.shape.append(decl)

    def unknown_decl(self, data: str) -> None:
        self.shape.append("a declaration")


def read(write: Write, path: Path, text: str) -> Reader:
    """Write a page with a text in every place, and read it as a browser would."""
    write(path, text)
    reader = Reader()
    reader.feed(path.read_text(encoding="utf-8"))
    reader.close()
    return reader


@pytest.mark.parametrize("write", [gallery, suspicious, trees, systems])
@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_a_page_with_hostile_text_has_the_elements_of_one_without(tmp_path: Path, write: Write, text: str) -> None:
    harmless = read(write, tmp_path / "harmless.html", "word")
    hostile = read(write, tmp_path / "hostile.html", text)
    assert harmless.shape == hostile.shape
    assert text in [part for one in hostile.data for part in texts_of(json.loads(one))]


def texts_of(value: Any) -> list[str]:
    """Every text in a value of JSON."""
    if isinstance(value, str):
        return [value]
    parts = [*value, *value.values()] if isinstance(value, dict) else value if isinstance(value, list) else []
    return [text for part in parts for text in texts_of(part)]


@pytest.mark.parametrize("name", ["gallery", "beam_tree", "systems"])
def test_a_template_runs_its_own_script_alone(name: str) -> None:
    template = Path("s2s/report") / f"{name}.html"
    text = (Path(__file__).parents[2] / template).read_text(encoding="utf-8")
    assert "default-src 'none'" in text
    assert "script-src 'nonce-page'; base-uri 'none'; form-action 'none'" in text
    assert text.count("<script") == text.count('<script nonce="page">') == 1
    for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "DOMParser"):
        assert way not in text
