"""An interactive page: one HTML file with its data inside, opened from a folder, that asks the network for nothing."""

import html
import json
import math
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

from s2s.errors import InputError

__all__ = ["Page", "open_page"]

TITLE = "{{title}}"
DATA = "{{data}}"

# As numbers of characters, nothing in a string can end the element or open a comment in it; JSON reads them the same.
HARMLESS = str.maketrans({"<": r"\u003c", ">": r"\u003e", "&": r"\u0026"})


def open_page(path: str | Path, template: str, *, title: str) -> "Page":
    """Begin a page; folders that are missing are made, a file that is there is written anew.

    Args:
        path: the HTML file.
        template: the page, with ``{{title}}`` where the title stands, between tags or in a quoted attribute, and
            ``{{data}}`` once, in the body and outside any tag, where the data comes.
        title: any text.

    Raises:
        InputError: the file cannot be written.
    """
    head, tail = (part.replace(TITLE, html.escape(title)) for part in template.split(DATA))
    return Page(Path(path), head, tail)


class Page:
    """A page that is being written: use it in ``with``, and `add` its data piece by piece; none is kept in memory.

    What was added can be read even if an error ends the ``with`` block early.
    """

    def __init__(self, path: Path, head: str, tail: str) -> None:
        self.path = path
        self.tail = tail
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Half of a surrogate pair is no character: it becomes a reference that the browser shows as "�".
            self.file: TextIO = path.open("w", encoding="utf-8", errors="xmlcharrefreplace", newline="\n")
        except OSError as error:
            raise self._unwritable(error) from error
        self._write(head)

    def add(self, value: Any, kind: str = "data", summary: str = "") -> None:
        """Write a value as an element of its own, ``<script type="application/json" class=kind>``.

        The browser reads it with ``JSON.parse(element.textContent)``, and only when the page's own script asks it to.

        Args:
            value: of JSON's types; numbers that are not finite become ``null``.
            kind: the class of the element, one word of letters.
            summary: what the page knows before it parses the value, in JavaScript ``element.dataset.summary``.
        """
        about = f' data-summary="{html.escape(summary)}"' if summary else ""
        self._write(f'<script type="application/json" class="{kind}"{about}>{_to_json(value)}</script>\n')

    def close(self) -> None:
        """Write the end of the page."""
        if not self.file.closed:
            self._write(self.tail)
            self.file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _write(self, text: str) -> None:
        try:
            self.file.write(text)
            self.file.flush()
        except OSError as error:
            # Closing tries to write what is left once more.
            with suppress(OSError):
                self.file.close()
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> InputError:
        return InputError(
            f"page {str(self.path)!r} cannot be written ({error.strerror}), expected a path in a folder you may "
            "write to; name another one"
        )


def _to_json(value: Any) -> str:
    """JSON in ASCII that cannot leave a script element."""
    try:
        text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    except ValueError:
        text = json.dumps(_finite(value), allow_nan=False, separators=(",", ":"))
    return text.translate(HARMLESS)


def _finite(value: Any) -> Any:
    """The value with None for numbers that JSON has no word for."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
