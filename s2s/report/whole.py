"""Files that are made at once: they appear under their own names when they are whole, or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from s2s.errors import InputError

__all__ = ["whole_file", "write_whole"]


@contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
    """Where to write a file that takes its name in one step, once the block has ended without an error.

    The place lies beside it, with the same suffix, and is removed if an error ends the block. A device or a pipe is
    written as it is.
    """
    final = Path(path).resolve()  # a link stays one
    if final.exists() and not final.is_file():
        yield Path(path)
        return
    partial = final.with_name(f".{final.stem}.partial{final.suffix}")
    try:
        yield partial
        os.replace(partial, final)
    finally:
        partial.unlink(missing_ok=True)


def write_whole(option: str, path: str, text: str) -> None:
    """Write a text to the file that an option names; raise an InputError where that cannot be."""
    try:
        with whole_file(path) as partial:
            partial.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{option}={path} cannot be written ({error.strerror}); give another file") from error
