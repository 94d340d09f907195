"""Where sheets go, as they come: the terminal, or a file of numbers, text, links, pictures or a page."""

import os
import re
import shutil
import sys
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import IO, Any, TypeVar

import numpy as np

from s2s.errors import InputError
from s2s.report.json_lines import json_line
from s2s.report.sheet import Panel, Sheet
from s2s.report.terminal import heatmap_lines, sentence_lines

__all__ = [
    "FORMATS",
    "SUFFIXES",
    "Writer",
    "file_writer",
    "numbered_pictures",
    "opened_file",
    "opened_writers",
    "sheet_lines",
    "with_numbered",
]

Writer = Callable[[Sheet], None]
Shown = TypeVar("Shown")

FORMATS = ("heatmap", "text", "jsonl", "links")
WIDTH_OF_A_PIPE = 100


@contextmanager
def opened_writers(
    outputs: Sequence[str], *, form: str, level: str, title: str, say: Callable[[str], None]
) -> Iterator[Writer]:
    """Write every sheet to every output: ``-`` is the terminal, in one of ``FORMATS``; files as in ``file_writer``."""
    with ExitStack() as stack:
        writers = [
            stack.enter_context(file_writer(output, level=level, title=title, say=say))
            for output in outputs
            if output != "-"
        ]

        def write(sheet: Sheet) -> None:
            for add in writers:
                add(sheet)
            if "-" in outputs:
                for line in sheet_lines(sheet, form, level):
                    print(line)
                sys.stdout.flush()

        yield write


def sheet_lines(sheet: Sheet, form: str, level: str) -> Iterator[str]:
    """Write a sheet as lines of text.

    Args:
        sheet: what to show.
        form: ``jsonl``, all of it on one line; ``links`` of the best hypothesis, in Pharaoh's format, one line;
            ``heatmap`` or ``text`` for people, who get a line for each panel above it and an empty one below.
        level: ``words`` or ``pieces``, for people.
    """
    if form == "jsonl":
        yield json_line(sheet.as_dict())
    elif form == "links":
        yield sheet.links
    else:
        yield from sheet.notes
        for panel in sheet.panels:
            yield _heading(panel)
            yield from _drawn(panel, level) if form == "heatmap" else sentence_lines(panel.views[level])
            yield ""


def _heading(panel: Panel) -> str:
    """A panel in one line."""
    title = f"{panel.title}: " if panel.title else ""
    return f"{title}{panel.text}   (score {panel.score:.3f}, log-probability {panel.log_prob:.3f})"


def _drawn(panel: Panel, level: str) -> list[str]:
    """A heatmap, in colour where a person looks."""
    if not sys.stdout.isatty():
        return heatmap_lines(panel.views[level], width=WIDTH_OF_A_PIPE, colour=False)
    width = max(40, shutil.get_terminal_size().columns)
    return heatmap_lines(panel.views[level], width=width, colour=not os.environ.get("NO_COLOR"))


def file_writer(path: str, *, level: str, title: str, say: Callable[[str], None]) -> AbstractContextManager[Writer]:
    """Open a file for sheets; its suffix says as what.

    Args:
        path: ends in one of ``SUFFIXES``.
        level: ``words`` or ``pieces``, for text and pictures; the others have both.
        title: of a page.
        say: is told what a person should know of a picture.

    Raises:
        InputError: another suffix, or a file that cannot be written.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        raise InputError(
            f"output={path} ends in {suffix or 'no suffix'}; expected {', '.join(SUFFIXES)}, or - for the terminal"
        )
    return SUFFIXES[suffix](Path(path), level=level, title=title, say=say)


@contextmanager
def _lines(path: Path, *, form: str, level: str, **_: Any) -> Iterator[Writer]:
    """A file of text."""
    with opened_file(path) as file:

        def add(sheet: Sheet) -> None:
            file.writelines(f"{line}\n".encode() for line in sheet_lines(sheet, form, level))

        yield add


@contextmanager
def _arrays(path: Path, **_: Any) -> Iterator[Writer]:
    """NumPy's archive: ``3/1/words/attention`` of sentence 3, panel 1, beside ``source``, ``target``, ``log_probs``."""
    with opened_file(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        count = 0

        def add(sheet: Sheet) -> None:
            nonlocal count
            count += 1
            for number, panel in enumerate(sheet.panels, 1):
                for name, view in panel.views.items():
                    arrays = {
                        "attention": view.weights,
                        "source": np.array(view.source),
                        "target": np.array(view.target),
                        "log_probs": np.array(view.log_probs),
                        **view.parts,
                    }
                    for key, array in arrays.items():
                        with archive.open(f"{count}/{number}/{name}/{key}.npy", "w", force_zip64=True) as entry:
                            np.lib.format.write_array(entry, array, allow_pickle=False)

        yield add


@contextmanager
def _page(path: Path, *, title: str, **_: Any) -> Iterator[Writer]:
    """One page for all sentences."""
    from s2s.report.gallery import Gallery

    with Gallery(path, title=title) as gallery:
        yield gallery.add


@contextmanager
def _pictures(path: Path, *, level: str, say: Callable[[str], None], **_: Any) -> Iterator[Writer]:
    """One picture, or where there are several sentences one for each, with the number of the sentence in its name.

    Of a line that was translated in parts it shows the first.
    """
    from s2s.report.heatmap import draw_heatmaps

    def draw(sheet: Sheet, picture: Path) -> str:
        panels = sheet.panels if sheet.best == 1 else sheet.panels[:1]  # all parts would make a picture nobody can open
        titles = [panel.title for panel in panels] if len(sheet.panels) > 1 else [""]
        return draw_heatmaps([panel.views[level] for panel in panels], picture, titles=titles) if panels else ""

    with numbered_pictures(path, draw, say) as add:
        yield add


@contextmanager
def numbered_pictures(
    path: Path, draw: Callable[[Shown, Path], str], say: Callable[[str], None]
) -> Iterator[Callable[[Shown], None]]:
    """Draw what is added, one thing at ``path``, several at ``path`` with ``-1``, ``-2`` … behind its stem.

    Args:
        path: ends in ``.png``, ``.svg`` or ``.pdf``.
        draw: makes one picture and returns what a person should know of it.
        say: is told that.

    Raises:
        InputError: another suffix.
    """
    from s2s.report.picture import checked_path  # as matplotlib takes a while to import

    checked_path(path, "picture")
    waiting: list[Shown] = []
    count = 0

    def draw_at(shown: Shown, picture: Path) -> None:
        if notice := draw(shown, picture):
            say(f"{picture}: {notice}")

    def add(shown: Shown) -> None:
        nonlocal count
        count += 1
        if count == 1:
            waiting.append(shown)
            return
        while waiting:
            draw_at(waiting.pop(), path.with_stem(f"{path.stem}-1"))
        draw_at(shown, path.with_stem(f"{path.stem}-{count}"))

    yield add
    while waiting:
        draw_at(waiting.pop(), path)


def with_numbered(outputs: Sequence[str]) -> list[str]:
    """The outputs, and beside each picture the numbered ones that are there already and that several may replace."""
    files = list(outputs)
    for path in map(Path, outputs):
        if SUFFIXES.get(path.suffix.lower()) is _pictures:
            number = re.compile(re.escape(path.stem) + r"-[0-9]+" + re.escape(path.suffix))
            files += sorted(str(other) for other in path.parent.glob("*") if number.fullmatch(other.name))
    return files


@contextmanager
def opened_file(path: Path) -> Iterator[IO[bytes]]:
    """A file to be written; folders that are missing are made."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("wb")
    except OSError as error:
        raise InputError(f"{path} cannot be written ({error.strerror}); give another output=") from error
    with file:
        yield file


SUFFIXES: dict[str, Callable[..., AbstractContextManager[Writer]]] = {
    **dict.fromkeys((".png", ".svg", ".pdf"), _pictures),
    ".html": _page,
    ".jsonl": partial(_lines, form="jsonl"),
    ".npz": _arrays,
    ".txt": partial(_lines, form="text"),
    ".align": partial(_lines, form="links"),
}
