"""One split of a corpus, read as leniently as its form allows, as often as it is wanted."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice, zip_longest
from typing import Any

from s2s.text.corpus import Corpus
from s2s.text.lenient import LenientFile, Line
from s2s.text.loading import table_suffix
from s2s.text.scripts import first_control

__all__ = ["OpenedSplit", "excerpt"]

SECONDS_PER_LINE = 5
ROWS = 1_000  # of a dataset that are read together
LONGEST = 48  # characters of a text that are shown


class OpenedSplit:
    """The pairs of a split. Two aligned text files are read whatever they hold; all else as training reads it.

    Args:
        corpus: whose split it is.
        name: of the split; ``extra`` for the extra training pairs, which stand here without their tag.

    Raises:
        InputError: a table or a dataset cannot be read.
    """

    def __init__(self, corpus: Corpus, name: str) -> None:
        self.name = name
        self.files: tuple[LenientFile, ...] = ()
        self.rest_is_blank = True
        self._most = corpus.most_pairs(name)
        files = corpus.files(name)
        if files and len(files) == 2 and not any(file.is_dir() or table_suffix(file) for file in files):
            self.files = tuple(map(LenientFile, files))
        else:
            extra = name == "extra" and corpus.extra is not None
            self._rows: Any = replace(corpus, extra_tag=None).load_extra() if extra else corpus.load(name)

    def pairs(self, doing: str, say: Callable[[str], None]) -> Iterator[tuple[Line, Line]]:
        """Yield the pairs, and say every few seconds how many there were; lines without a partner are left out.

        Raises:
            InputError: a file is damaged.
        """
        heard = time.monotonic()
        for number, pair in enumerate(islice(self._aligned() if self.files else self._table(), self._most), 1):
            yield pair
            if number % ROWS == 0 and time.monotonic() - heard > SECONDS_PER_LINE:
                heard = time.monotonic()
                say(f"{self.name}: {doing} {number:,} pairs")

    def _aligned(self) -> Iterator[tuple[Line, Line]]:
        for left, right in zip_longest(*self.files):
            if left is not None and right is not None:
                yield left, right
            else:
                self.rest_is_blank &= not (left or right or "").strip()

    def _table(self) -> Iterator[tuple[str, str]]:
        for rows in self._rows.iter(ROWS):
            yield from zip(rows["source"], rows["target"], strict=True)

    def lines(self) -> dict[str, int]:
        """How many lines the last reading found in each text file."""
        return {str(file.path): file.lines for file in self.files}

    @property
    def aligned(self) -> bool:
        """Whether nothing but blank lines is without a partner, as far as the last reading went."""
        return len(set(self.lines().values())) < 2 or self.rest_is_blank

    def oddities(self) -> list[dict[str, Any]]:
        """What the last reading found odd about the files as files, in JSON's types."""
        found: list[dict[str, Any]] = []
        for file in self.files:
            place = {"split": self.name, "file": str(file.path)}
            if file.utf16:
                found.append({"finding": "utf16", **place, "count": file.lines, "first": []})
            elif file.marked:
                found.append({"finding": "bom", **place, "count": 1, "first": [{"line": 1}]})
            if file.crlf:
                first = [{"line": number} for number in file.first_crlf]
                found.append({"finding": "crlf", **place, "count": file.crlf, "first": first})
        if len(set(self.lines().values())) > 1:
            short, long = sorted(self.lines().values())
            first = [{"line": short + 1}]
            one = {"finding": "line_counts", "split": self.name, "count": long - short, "first": first}
            found.append({**one, "lines": self.lines()})
        if self.files and not min(self.lines().values()):
            found.append({"finding": "no_pairs", "split": self.name, "count": 1, "first": []})
        return found


def excerpt(line: Line) -> str:
    """Show a line, or what is odd in it, on one line of a report: what is not printable escaped, the rest cut off."""
    place = 0
    if isinstance(line, bytes):
        try:
            line.decode("utf-8")
        except UnicodeDecodeError as error:
            place = len(line[: error.start].decode("utf-8"))
        line = line.decode("utf-8", "backslashreplace")
    else:
        place = first_control(line)
    start = place - LONGEST // 2 if place > LONGEST // 2 else 0
    shown = line[start : start + LONGEST]
    escaped = "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in shown)
    return "…" * (start > 0) + escaped + "…" * (start + LONGEST < len(line))
