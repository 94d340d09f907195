"""Files that are there whole or not at all, also when the process is killed or the power fails."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from s2s.errors import InputError

__all__ = ["checksum", "settle", "whole_file", "write_result", "write_whole", "writing"]


def checksum(content: bytes) -> str:
    """Sixteen hexadecimal digits of SHA-256, enough to tell a damaged file from a whole one."""
    return hashlib.sha256(content).hexdigest()[:16]


@contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
    """Where to write a file that takes its name in one step, once the block has ended without an error.

    The place lies beside it, with the same suffix; what was written there is seen onto the disk before it has the name,
    and is removed if an error ends the block. A device or a pipe is written as it is.
    """
    final = Path(path).resolve()  # a link stays one
    if final.exists() and not final.is_file():
        yield Path(path)
        return
    partial = final.with_name(f".{final.stem}.partial{final.suffix}")
    try:
        yield partial
        settle(partial)
        os.replace(partial, final)
    finally:
        partial.unlink(missing_ok=True)
    if os.name == "posix":  # elsewhere a folder cannot be opened
        settle(final.parent)


def settle(path: Path) -> None:
    """See what a file holds, or a folder's names, onto the disk."""
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file of a run whole, and its folder where there is none.

    Raises:
        InputError: there is no room, or no right to write; what stood under the name before still does.
    """
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as partial:
            partial.write_bytes(content)


def write_result(option: str, path: str, text: str) -> None:
    """Write a text to the file that an option names; raise an InputError where that cannot be."""
    try:
        with whole_file(path) as partial:
            partial.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{option}={path} cannot be written ({error.strerror}); give another file") from error


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn a full disk, or a folder that takes no files, into one line for the person."""
    try:
        yield
    except OSError as error:
        raise InputError(
            f"{path} cannot be written ({error.strerror}); make room for it, or its folder one that can be written"
        ) from error
