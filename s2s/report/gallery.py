"""A page to explore attention in: sentences to choose from, and in each what every target piece or word looked at."""

from pathlib import Path
from types import TracebackType
from typing import Self

from s2s.report.page import open_page
from s2s.report.sheet import Sheet

__all__ = ["Gallery"]

TEMPLATE = Path(__file__).with_name("gallery.html")


class Gallery:
    """One HTML file of sheets, written while they come: use it in ``with``, and `add` each.

    Every hypothesis is shown as linked text, where a target word lights up the source words it looked at, and as a
    matrix. The file asks the network for nothing, memory does not grow with the number of sheets, and the browser
    parses a sheet only when it is shown.

    Args:
        path: the HTML file; folders that are missing are made.
        title: of the page.
        frames: the panels of a sheet are moments in time, shown by a slider that can play, rather than hypotheses.

    Raises:
        InputError: the file cannot be written, now or in `add`.
    """

    def __init__(self, path: str | Path, *, title: str, frames: bool = False) -> None:
        self.page = open_page(path, TEMPLATE.read_text(encoding="utf-8"), title=title)
        self.page.add({"frames": frames}, "options")

    def add(self, sheet: Sheet) -> None:
        """Write a sheet to the page, listed by its source and found by any of its texts."""
        texts = (sheet.source, *(panel.text for panel in sheet.panels), *sheet.notes)
        self.page.add(sheet.as_dict(), "sheet", summary="\n".join(" ".join(text.split()) for text in texts))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.page.close()
