"""Lines of a pipe or a file as they come, and where results go."""

import codecs
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import BinaryIO, cast

from s2s.errors import InputError
from s2s.text.reading import read_lines

__all__ = ["check_nothing_is_lost", "opened", "paired_lines", "read_lines_as_they_come"]

CHUNK_BYTES = 1 << 16


def check_nothing_is_lost(
    outputs: Iterable[str | None], inputs: Iterable[str | None] = (), *, overwrite: bool = False
) -> None:
    """Raise an InputError where a result would be written over what is there; to be asked before any work is done.

    Args:
        outputs: files that are to be written; ``-`` and None are none, and devices and pipes may be written.
        inputs: files that are read, which are not written over even where it is asked for.
        overwrite: write over files that exist.
    """
    read = {Path(str(name)).resolve() for name in inputs if name not in (None, "-")}
    named: set[Path] = set()
    for output in outputs:
        if output is None or output == "-":
            continue
        path = Path(output).resolve()
        if path.exists() and not path.is_file():
            continue
        if path in read:
            raise InputError(f"{output} is an input, which would be lost; give another file for the result")
        if path in named:
            raise InputError(f"{output} is named twice, and one result would be lost; give each a file of its own")
        if path.is_file() and not overwrite:
            raise InputError(f"{output} exists; give another file or overwrite=true")
        named.add(path)


@contextmanager
def opened(name: str, mode: str) -> Iterator[BinaryIO]:
    """Open a file, or stdin or stdout for ``-``, which stay open."""
    if name == "-":
        yield sys.stdin.buffer if "r" in mode else sys.stdout.buffer
        return
    try:
        file = open(str(name), mode)  # noqa: SIM115 (closed below; a number is a name too, not a descriptor)
    except OSError as error:
        verb = "read" if "r" in mode else "written"
        remedy = "give another file, or - for the terminal"
        raise InputError(f"{name} cannot be {verb} ({error.strerror}); {remedy}") from error
    with file:
        yield cast(BinaryIO, file)


def read_lines_as_they_come(source: BinaryIO) -> Iterator[list[str]]:
    """Yield the lines of each chunk as soon as it is there, so that a slow pipe is answered line by line.

    A line ends at ``\\n`` or ``\\r\\n`` alone; bytes that are no UTF-8 are shown as U+FFFD, and a BOM at the start is
    not part of the text.
    """
    waiting: list[bytes] = []  # of the line that has not ended yet
    mark = codecs.BOM_UTF8
    while chunk := source.read1(CHUNK_BYTES):  # type: ignore[attr-defined]
        first, *others = chunk.split(b"\n")
        waiting.append(first)
        if others:
            lines = [b"".join(waiting).removeprefix(mark), *others[:-1]]
            yield [_decoded(line) for line in lines]
            waiting, mark = others[-1:], b""
    if rest := b"".join(waiting).removeprefix(mark):
        yield [_decoded(rest)]


def _decoded(line: bytes) -> str:
    """Bytes of one line as text."""
    return line.removesuffix(b"\r").decode("utf-8", errors="replace")


def paired_lines(source: BinaryIO, target: str | None) -> Iterator[tuple[list[str], list[str] | None]]:
    """Yield lines as they come, with as many of a target file beside them where there is one.

    Raises:
        InputError: the target file has more or fewer lines.
    """
    targets = None if target is None else read_lines(str(target))
    count = 0
    for lines in read_lines_as_they_come(source):
        own = None if targets is None else list(islice(targets, len(lines)))
        count += len(lines)
        if own is not None and len(own) < len(lines):
            raise InputError(f"target={target} has fewer lines than the input; give one for each of its lines")
        yield lines, own
    if targets is not None and next(targets, None) is not None:
        raise InputError(f"target={target} has more lines than the input, {count}; give one for each of its lines")
