"""Sentence pairs out of text files: aligned files, tab-separated values, JSON lines; every error names its line."""

import gzip
import json
import re
import zlib
from collections.abc import Iterable, Iterator
from itertools import zip_longest
from pathlib import Path

from s2s.errors import InputError

__all__ = [
    "Languages",
    "check_cell",
    "empty",
    "first_line",
    "listing",
    "missing_column",
    "missing_path",
    "read_aligned",
    "read_json_lines",
    "read_lines",
    "read_tsv",
]

Languages = tuple[str, str]


def read_lines(path: str | Path) -> Iterator[str]:
    """Yield the lines of a UTF-8 file, gzipped or not, without their ends (LF or CRLF) and without a BOM at the start.

    Lines end at LF only; U+2028, a form feed or a lone CR are part of the line.

    Raises:
        InputError: the file is missing, damaged or not UTF-8.
    """
    path, offset = Path(path), 0
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
            for number, line in enumerate(file, 1):
                try:
                    text = line.decode("utf-8")
                except UnicodeDecodeError as error:
                    raise InputError(
                        f"{path}, line {number}: byte 0x{line[error.start]:02x} at offset {offset + error.start} "
                        "is not UTF-8, expected UTF-8; convert the file: iconv -f ITS_ENCODING -t UTF-8 OLD > NEW"
                    ) from None
                offset += len(line)
                if number == 1:
                    text = text.removeprefix("\ufeff")
                    if not text:
                        return
                yield text[:-2] if text.endswith("\r\n") else text.removesuffix("\n")
    except FileNotFoundError:
        raise missing_path(path, "file") from None
    except (OSError, EOFError, zlib.error) as error:
        wanted = "a whole gzip file" if path.suffix == ".gz" else "a text file"
        raise InputError(f"{path}: cannot be read ({first_line(error)}), expected {wanted}; check the file") from error


def read_aligned(source: Path, target: Path) -> Iterator[tuple[str, str]]:
    """Yield the pairs of two text files aligned by line."""
    sides = (read_lines(source), read_lines(target))
    for number, (left, right) in enumerate(zip_longest(*sides), 1):
        if left is None or right is None:
            files = (source, target) if right is None else (target, source)
            longer = number + sum(1 for _ in sides[0 if right is None else 1])
            raise InputError(
                f"{files[0]} has {longer} lines and {files[1]} has {number - 1}, expected equal counts; "
                f"line {number} of {files[0].name} is the first without a partner: "
                f"{shown(right if left is None else left)}; align the files again"
            )
        yield left, right


def read_tsv(path: Path, languages: Languages) -> Iterator[tuple[str, str]]:
    """Yield the pairs of a tab-separated file, source first unless a header names the languages; no quoting."""
    places, width = (0, 1), 2
    for number, line in enumerate(read_lines(path), 1):
        cells = line.split("\t")
        if number == 1 and is_header(cells, languages):
            places, width = (cells.index(languages[0]), cells.index(languages[1])), len(cells)
            continue
        if len(cells) != width:
            header = f" (or a header with columns {' and '.join(languages)})" if number == 1 else ""
            raise InputError(
                f"{path}, line {number}: {len(cells)} cells, expected {width}{header}: {shown(line)}; "
                "put one tab between cells"
            )
        yield cells[places[0]], cells[places[1]]


def is_header(cells: list[str], languages: Languages) -> bool:
    """Whether the first line of a table names its columns: all languages, and of two columns no other beside two."""
    two = len(cells) == 2 and languages[0] != languages[1]
    return sorted(cells) == sorted(languages) if two else set(languages) <= set(cells)


def read_json_lines(path: Path, languages: Languages) -> Iterator[tuple[str, str]]:
    """Yield the pairs of JSON lines: `{"de": …, "en": …}` or `{"translation": {"de": …, "en": …}}`."""
    example = json.dumps(dict.fromkeys(languages, "…"), ensure_ascii=False)
    for number, line in enumerate(read_lines(path), 1):
        place = f"{path}, line {number}"
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            reason = f"{error.msg} at column {error.colno}" if isinstance(error, json.JSONDecodeError) else error
            raise InputError(
                f"{place}: not JSON ({reason}), expected one object a line: {example}; rewrite it"
            ) from error
        if not isinstance(row, dict):
            raise InputError(f"{place}: {shown(row)} is no object, expected one a line: {example}; rewrite it")
        if not set(languages) <= set(row) and isinstance(row.get("translation"), dict):
            row, place = row["translation"], f"{place}, translation"
        for language in languages:
            if language not in row:
                raise missing_column(place, language, row)
            check_cell(row[language], place, language)
        yield row[languages[0]], row[languages[1]]


def check_cell(cell: object, place: str, language: str) -> None:
    """Refuse a cell that is not text: null, a number, or half of a surrogate pair."""
    if not isinstance(cell, str):
        raise InputError(f"{place}: column {language!r} is {shown(cell)}, expected a string; fill or remove the row")
    if not cell.isascii() and re.search("[\ud800-\udfff]", cell):
        raise InputError(
            f"{place}: column {language!r} is {shown(cell)}, expected whole characters; mend the \\u escape"
        )


def missing_column(place: str, language: str, columns: Iterable[str]) -> InputError:
    """Say which column is missing and which there are."""
    return InputError(
        f"{place}: no column {language!r}, expected both languages; columns: {', '.join(columns) or 'none'}; "
        "set data.source and data.target to two of them"
    )


def missing_path(path: Path, what: str) -> InputError:
    """Say that a path does not exist, and what lies in the nearest folder that does."""
    folder = next(parent for parent in path.absolute().parents if parent.is_dir())
    return InputError(
        f"{what}: {path} does not exist, expected a file or folder; {folder} holds: {listing(folder)}; correct the path"
    )


def listing(folder: Path, limit: int = 12) -> str:
    """Name what lies in a folder, for an error message of one line."""
    names = sorted(entry.name for entry in folder.iterdir()) if folder.is_dir() else [folder.name]
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more if names else "nothing"


def empty(place: str) -> InputError:
    """Say that a split holds nothing."""
    return InputError(f"{place}: no pairs, expected one or more; fill the split or ask for another")


def shown(value: object) -> str:
    """Show a value of the data on one line, cut to a length that fits a message."""
    text = ascii(value) if isinstance(value, str) and not value.isprintable() else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:60]}…"


def first_line(error: BaseException) -> str:
    """The first line of an error's message, or its name where it has none."""
    return next(iter(str(error).splitlines()), type(error).__name__)
