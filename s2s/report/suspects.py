"""Which translations to look at first: the most suspicious of a file as a table, JSON lines and a page."""

import heapq
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich import box
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from s2s.errors import InputError
from s2s.report.gallery import Gallery
from s2s.report.json_lines import json_line
from s2s.report.sheet import Sheet
from s2s.report.suspicion import Suspicion, suspicion
from s2s.report.writers import opened_file

__all__ = ["Suspect", "most_suspicious", "suspects", "suspicion_table", "write_report"]


@dataclass(frozen=True)
class Suspect:
    """A sentence with the number of its line, counted from 1, and what speaks against its first panel."""

    line: int
    sheet: Sheet
    suspicion: Suspicion

    def as_dict(self) -> dict[str, object]:
        """The same in JSON's types, without attention."""
        text = self.sheet.panels[0].text
        return {"line": self.line, "source": self.sheet.source, "text": text, **self.suspicion.as_dict()}


def suspects(sheets: Iterable[Sheet]) -> Iterator[Suspect]:
    """Measure sentences as they come, in parts where they are shown so; those without words are left out."""
    for line, sheet in enumerate(sheets, 1):
        for number, panel in enumerate(sheet.panels[: sheet.best]):
            panels = (panel, *(() if number else sheet.panels[sheet.best :]))
            yield Suspect(line, replace(sheet, panels=panels, best=1), suspicion(panel.views["words"]))


def write_report(sheets: Iterable[Sheet], outputs: Sequence[str], *, count: int, title: str) -> None:
    """Rank sentences, the most suspicious first.

    Args:
        sheets: as they come; no more than ``count`` of them are held at a time.
        outputs: ``-`` for a table in the terminal, a ``.jsonl`` file for what was measured, a ``.html`` file for a page
            that shows the attention of each.
        count: how many are reported.
        title: of the page.

    Raises:
        InputError: an output of another kind, or a count below 1.
    """
    for output in outputs:
        if output != "-" and Path(output).suffix.lower() not in (".jsonl", ".html"):
            raise InputError(f"report={output} is no report; expected - for a table, a .jsonl or a .html file")
    if count < 1:
        raise InputError(f"shown={count} reports no sentence; give 1 or more")
    ranked = most_suspicious(suspects(sheets), count)
    for output in outputs:
        if output == "-":
            print(suspicion_table(ranked), end="")
        elif output.lower().endswith(".html"):
            with Gallery(output, title=title) as gallery:
                for one in ranked:
                    notes = (f"line {one.line}, suspicion {one.suspicion.score:.2f}", *one.suspicion.reasons)
                    gallery.add(replace(one.sheet, notes=notes))
        else:
            with opened_file(Path(output)) as file:
                file.writelines(f"{json_line(one.as_dict())}\n".encode() for one in ranked)


def most_suspicious(found: Iterable[Suspect], count: int) -> list[Suspect]:
    """Keep the ``count`` highest scores, highest first, then by line; holds no more of a stream than these."""
    return heapq.nsmallest(count, found, key=lambda one: (-one.suspicion.score, one.line))


def suspicion_table(ranked: Iterable[Suspect], *, width: int = 120) -> str:
    """Lay suspects out in letters of one width, in the order given: sentences cut to fit, and reasons in full.

    Args:
        width: cells of a line; a Chinese character takes two.
    """
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for title in ("#", "line", "score"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("source → text, and what speaks against it")
    for rank, one in enumerate(ranked, 1):
        sentences = (
            Text(_printable(line), no_wrap=True, overflow="ellipsis")
            for line in (one.sheet.source, f"→ {one.sheet.panels[0].text}")
        )
        reasons = [Text(_printable("; ".join(one.suspicion.reasons)), overflow="fold")] * bool(one.suspicion.reasons)
        table.add_row(str(rank), str(one.line), f"{one.suspicion.score:.2f}", Group(*sentences, *reasons))
    console = Console(file=io.StringIO(), width=width)
    with console.capture() as captured:
        console.print(table)
    return "\n".join(line.rstrip() for line in captured.get().splitlines()) + "\n"


def _printable(text: str) -> str:
    """One line without characters that move the cursor or have no width."""
    return "".join(letter for letter in " ".join(text.split()) if letter.isprintable())
