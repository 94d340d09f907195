"""Lines of a text file whatever bytes it holds, and what is odd about the file as a whole."""

import codecs
import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from s2s.errors import InputError
from s2s.text.reading import first_line

__all__ = ["LenientFile", "Line"]

Line = str | bytes  # text, or the bytes of a line that are no UTF-8
FIRST = 3  # lines that are remembered


class LenientFile:
    """A text file, gzipped or not, that is read to its end where `read_lines` would refuse it.

    What was seen stands in its fields after a reading: ``lines``, how many; ``utf16``, whether the file is UTF-16,
    which is read as such; ``marked``, whether it begins with a byte order mark; ``crlf``, how many lines end with CRLF,
    and ``first_crlf``, the numbers of the first of them.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._forget()

    def _forget(self) -> None:
        self.lines = self.crlf = 0
        self.utf16 = self.marked = False
        self.first_crlf: list[int] = []

    def __iter__(self) -> Iterator[Line]:
        """Yield lines without their ends (LF or CRLF) and without a byte order mark at the start.

        Raises:
            InputError: the file is missing or cannot be read at all.
        """
        self._forget()
        try:
            with gzip.open(self.path, "rb") if self.path.suffix == ".gz" else self.path.open("rb") as file:
                self.utf16 = file.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
                file.seek(0)
                # Half a pair of UTF-16 becomes U+FFFD, which is a finding of its own.
                raw = io.TextIOWrapper(file, "utf-16", "replace", newline="\n") if self.utf16 else file
                yield from self._lines(raw)
        except (OSError, EOFError, zlib.error) as error:
            wanted = "a whole gzip file" if self.path.suffix == ".gz" else "a text file"
            raise InputError(
                f"{self.path}: cannot be read ({first_line(error)}), expected {wanted}; check the file"
            ) from error

    def _lines(self, raw: Iterator[Line]) -> Iterator[Line]:
        """Take off what is no text, and note it."""
        for number, line in enumerate(raw, 1):
            if isinstance(line, bytes):
                with suppress(UnicodeDecodeError):
                    line = line.decode("utf-8")
            if number == 1:
                self.marked = self.utf16 or line[:1] == "\ufeff" or line[:3] == codecs.BOM_UTF8
                line = line.removeprefix("\ufeff") if isinstance(line, str) else line.removeprefix(codecs.BOM_UTF8)
                if not line:
                    return
            self.lines = number
            if line[-2:] in ("\r\n", b"\r\n"):
                self.crlf += 1
                if len(self.first_crlf) < FIRST:
                    self.first_crlf.append(number)
                yield line[:-2]
            else:
                yield line[:-1] if line[-1:] in ("\n", b"\n") else line
