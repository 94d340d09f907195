"""Files that are there whole or not at all, also when the process is killed or the power fails."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from s2s.errors import InputError

__all__ = ["checksum", "settle", "write_whole", "writing"]


def checksum(content: bytes) -> str:
    """Sixteen hexadecimal digits of SHA-256, enough to tell a damaged file from a whole one."""
    return hashlib.sha256(content).hexdigest()[:16]


def write_whole(path: Path, content: bytes) -> None:
    """Write a file under another name, see it onto the disk, and only then give it its own.

    Raises:
        InputError: there is no room, or no right to write; what stood under the name before still does.
    """
    partial = path.with_name(f"{path.name}.partial")
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with partial.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(partial, path)
        except OSError:
            partial.unlink(missing_ok=True)
            raise
        settle(path.parent)


def settle(folder: Path) -> None:
    """See the names in a folder onto the disk, where the system has such a thing."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn a full disk, or a folder that takes no files, into one line for the person."""
    try:
        yield
    except OSError as error:
        raise InputError(
            f"{path} cannot be written ({error.strerror}); make room for it, or its folder one that can be written"
        ) from error
