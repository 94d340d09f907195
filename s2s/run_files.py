"""Which files of a run folder may be read: its own, regular ones, no larger than such files are."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from typing import Any
from unicodedata import category

from s2s.errors import InputError

__all__ = ["check_folder", "is_clean", "read_bounded", "read_object", "read_records"]

MOST_FILES = 10_000
MOST_BYTES = 1 << 26  # of a file of records
NUMBERS = {"updates": int, "epoch": int, "seconds": float, "perplexity": float, "tokens_per_second": float}
SCORES = ("bleu", "chrf", "exact")
NEEDED = {"train": ("seconds", "tokens_per_second"), "valid": ("seconds", "perplexity", "best")}
GREATEST = 2**63


def check_folder(folder: Path) -> None:
    """Raise an InputError where a run holds what is no file, or a link that leads out of it.

    A link may be followed by whoever reads the folder, and by whoever writes into it. The folder itself may be a link.
    """
    home, count = folder.resolve(), 0
    for place, folders, files in os.walk(home):
        for name in (*folders, *files):
            path = Path(place, name)
            count += 1
            if count > MOST_FILES:
                raise InputError(f"{folder} holds more than {MOST_FILES:,} files, as no run does; give another folder")
            if path.is_symlink() and not _leads_into(path, home):
                raise InputError(f"{folder}: {name} is a link that leads out of the run; put the file in its place")
            try:
                mode = path.stat().st_mode
            except FileNotFoundError:  # of a file that has got its name since, as training goes on
                continue
            if not (S_ISREG(mode) or S_ISDIR(mode)):
                raise InputError(f"{folder}: {name} is no regular file; take it out of the run")


def _leads_into(link: Path, home: Path) -> bool:
    """Whether a link ends at something in the folder."""
    try:
        return link.resolve(strict=True).is_relative_to(home)
    except (OSError, RuntimeError):  # nothing there, or a circle of links
        return False


def read_bounded(path: Path, most: int) -> bytes:
    """Read a file; raise an InputError where it is larger than such files are."""
    with path.open("rb") as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise InputError(f"{path} has more than {most:,} bytes, as no such file of a run has; copy the run again")
    return content


def read_object(path: Path) -> dict[str, Any]:
    """Read a small file of one JSON object, whose values are objects of numbers and texts: a run's result."""
    try:
        found = json.loads(read_bounded(path, 1 << 20).decode("utf-8"))
    except (ValueError, RecursionError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path} cannot be read ({error}); expected JSON, copy the run again") from error
    parts = list(found.values()) if isinstance(found, dict) else [None]
    if not all(isinstance(part, dict) and all(map(_is_plain, part.items())) for part in parts):
        raise InputError(f"{path} is no result of a run; expected objects of numbers and texts, copy the run again")
    whole: dict[str, Any] = found
    return whole


def _is_plain(item: tuple[str, Any]) -> bool:
    """Whether a value of a result is what stands under this name: a text for what says how, else a number."""
    name, value = item
    texts = ("name", "signature", "split", "references_sha256")
    return value is None or (is_clean(value) if name in texts else _is_number(value, float))


def is_clean(value: Any) -> bool:
    """Whether a value is a text that does nothing to a terminal that shows it."""
    return isinstance(value, str) and not any(category(letter) == "Cc" for letter in value)


def read_records(path: Path) -> Iterator[dict[str, Any]]:
    """Read the records of a file, one JSON object a line; a file that is not there has none.

    A last line without an end was never written whole, and is left out.

    Raises:
        InputError: a line is no record, named with its number.
    """
    if not path.is_file():
        return
    try:
        lines = read_bounded(path, MOST_BYTES).decode("utf-8").split("\n")[:-1]
    except UnicodeDecodeError as error:
        raise InputError(f"{path} cannot be read ({error}); expected UTF-8, copy the run again") from error
    for number, line in enumerate(lines, 1):
        if not line:
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            raise InputError(f"{path}, line {number} is no JSON: {line[:40]!r}; remove it") from None
        yield _checked(record, f"{path}, line {number}")


def _checked(record: Any, place: str) -> dict[str, Any]:
    """The record of an update; raise an InputError for anything else."""
    if not isinstance(record, dict) or "updates" not in record:
        raise InputError(f"{place} is no record: it has no updates; remove it")
    missing = [name for name in NEEDED.get(str(record.get("split")), ()) if name not in record]
    if missing:
        raise InputError(f"{place} is no record of {record['split']}: it has no {missing[0]}; remove it")
    for name, kind in NUMBERS.items():
        if name in record and not _is_number(record[name], kind):
            raise InputError(f"{place}: {name} is {record[name]!r:.40}, expected a number; remove the line")
    for name in SCORES:
        score = record.get(name, {"value": 0})
        if not isinstance(score, dict) or not _is_number(score.get("value"), float):
            raise InputError(f"{place}: {name} is {score!r:.40}, expected a score; remove the line")
    return record


def _is_number(value: Any, kind: type) -> bool:
    """Whether a value of JSON is a number; the whole ones are counts."""
    return 0 <= value < GREATEST if type(value) is int else kind is float and type(value) is float
