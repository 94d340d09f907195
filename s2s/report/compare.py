"""One table of several runs: what they are, what they cost and what they are worth."""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from s2s.report.differences import differing_options

__all__ = ["FinishedRun", "comparability_notes", "csv_table", "markdown_table", "text_table"]

NOTHING = "–"
PER_WORD = "perplexity per word"
CORPUS = ("label", "name", "config", "revision", "source", "target")


@dataclass(frozen=True, kw_only=True)
class FinishedRun:
    """What a run's folder tells.

    Args:
        name: how the run is called in tables and pictures.
        config: its configuration, nested.
        result: its ``result.json``; a number that is not in it is shown as missing.
        records: the lines of its ``metrics.jsonl``.
        tokenizer: what is equal for equal target tokenizers alone; empty where that is not known.
    """

    name: str
    config: Mapping[str, Any]
    result: Mapping[str, Any]
    records: Sequence[Mapping[str, Any]] = ()
    tokenizer: str = ""

    def number(self, part: str, name: str) -> float | None:
        """Look up a number of the result."""
        found: float | None = self.result.get(part, {}).get(name)
        return found

    def test_set(self) -> tuple[str, ...]:
        """What must be equal for BLEU and AER to be compared: references, and how BLEU was computed."""
        bleu = self.result.get("BLEU", {})
        parts = str(bleu.get("signature", "")).split("|")
        method = "|".join(part for part in parts if not part.startswith(("bs:", "seed:")))
        return str(bleu.get("split", "")), method, str(bleu.get("references_sha256") or self._corpus())

    def text(self) -> object:
        """What must be equal for perplexities per word to be compared."""
        return self.result.get(PER_WORD, {}).get("references_sha256")

    def pieces(self) -> str:
        """What must be equal for perplexities to be compared."""
        return self.tokenizer or str((self.config.get("tokenizer"), self._corpus()))

    def _corpus(self) -> list[Any]:
        data = self.config.get("data", {})
        return [data.get(name) for name in CORPUS]


@dataclass(frozen=True)
class Column:
    """A column of numbers: its title, where the number is in the result, its text, and which is the best."""

    title: str
    part: str
    name: str
    shown: Callable[[float], str]
    best: Callable[[Sequence[float]], float]
    comparable_by: Callable[[FinishedRun], object] = field(default=lambda run: None)


def _short(value: float) -> str:
    """Three figures and a thousand's letter: 51,234,000 -> ``51.2M``."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= 0.9995 * size:
            scaled = value / size
            return f"{scaled:.{2 if scaled < 9.995 else 1 if scaled < 99.95 else 0}f}{letter}"
    return f"{value:.0f}"


def _clock(seconds: float) -> str:
    """Minutes and seconds, and hours where there are any: ``24:53``, ``1:02:03``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


COLUMNS = (
    Column("parameters", "model", "parameters", _short, min),
    Column("mult-adds/token", "model", "multiply_adds_per_token", _short, min),
    Column("tokens/s", "training", "tokens_per_second", "{:,.0f}".format, max),
    Column("valid perplexity", "training", "validation_perplexity", "{:.2f}".format, min, FinishedRun.pieces),
    Column("BLEU", "BLEU", "value", "{:.2f}".format, max, FinishedRun.test_set),
    Column("AER %", "AER", "value", "{:.1f}".format, min, FinishedRun.test_set),
    Column(PER_WORD, PER_WORD, "value", "{:.2f}".format, min, FinishedRun.text),
    Column("time", "training", "seconds", _clock, min),
)


def _columns(runs: Sequence[FinishedRun]) -> list[Column]:
    """The columns there are; what language models alone have is one where there are some."""
    return [one for one in COLUMNS if one.title != PER_WORD or any(PER_WORD in run.result for run in runs)]


@dataclass(frozen=True)
class Cell:
    """Text, and whether it is the best of its column."""

    text: str
    best: bool = False


def _grid(runs: Sequence[FinishedRun], choices: Mapping[str, str]) -> tuple[list[str], list[list[Cell]]]:
    """Titles, and the cells of every run; what the runs differ in is a column if they do."""
    options = differing_options([run.config for run in runs], choices)
    says = any(options)
    shown = _columns(runs)
    columns = [_column_of_cells(column, runs) for column in shown]
    rows = [
        [Cell(run.name), *([Cell(" ".join(f"{key}={value}" for key, value in own.items()))] if says else []), *numbers]
        for run, own, *numbers in zip(runs, options, *columns, strict=True)
    ]
    return ["run", *(["differs in"] if says else []), *(column.title for column in shown)], rows


def _column_of_cells(column: Column, runs: Sequence[FinishedRun]) -> list[Cell]:
    """One column; nothing is the best where all are equal or cannot be compared."""
    values = [run.number(column.part, column.name) for run in runs]
    known = [value for value in values if value is not None]
    comparable = len({column.comparable_by(run) for run, value in zip(runs, values, strict=True) if value is not None})
    best = column.best(known) if len(set(known)) > 1 and comparable == 1 else None
    cells = []
    for run, value in zip(runs, values, strict=True):
        confidence = run.number(column.part, "confidence")
        interval = "" if confidence is None else f" ± {confidence:.2f}"
        cells.append(
            Cell(NOTHING if value is None else column.shown(value) + interval, value is not None and value == best)
        )
    return cells


def text_table(
    runs: Sequence[FinishedRun], choices: Mapping[str, str] | None = None, *, terminal_width: int | None = None
) -> str:
    """Lay the table out in letters of one width.

    Args:
        runs: the rows, in this order.
        choices: ``_target_`` -> its name, for what the runs differ in.
        terminal_width: letters in a line of the terminal, which then shows the best in bold; None for a file.
    """
    titles, rows = _grid(runs, choices or {})
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for number, title in enumerate(titles):
        words = len(titles) - len(_columns(runs))
        left = number < words
        table.add_column(title, justify="left" if left else "right", no_wrap=not left, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell.text, style="bold" if cell.best else "") for cell in row))
    widest = sum(max(cell_len(cell.text) for cell in column) + 3 for column in zip(*rows, strict=True))
    console = Console(
        file=io.StringIO(),
        force_terminal=terminal_width is not None,
        width=terminal_width or widest + sum(len(title) for title in titles),
    )
    with console.capture() as captured:
        console.print(table)
    return "\n".join(line.rstrip() for line in captured.get().splitlines()) + "\n"


def markdown_table(runs: Sequence[FinishedRun], choices: Mapping[str, str] | None = None) -> str:
    """Write the table in Markdown, the best of each column in bold."""
    titles, rows = _grid(runs, choices or {})
    numbers = len(_columns(runs))
    lines = [titles, ["---"] * (len(titles) - numbers) + ["---:"] * numbers]
    for row in rows:
        texts = [cell.text.replace("\\", "\\\\").replace("|", "\\|").replace("*", "\\*") for cell in row]
        lines.append([f"**{text}**" if cell.best else text for text, cell in zip(texts, row, strict=True)])
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def csv_table(runs: Sequence[FinishedRun], choices: Mapping[str, str] | None = None) -> str:
    """Write the numbers as they are, with units in their titles; what is missing is empty."""
    options = differing_options([run.config for run in runs], choices)
    shown = _columns(runs)
    fields = [column.name if column.name != "value" else column.title.removesuffix(" %") for column in shown]
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["run", "differs_in", *fields, "BLEU_confidence", "BLEU_split", "BLEU_signature"])
    for run, own in zip(runs, options, strict=True):
        numbers = [run.number(column.part, column.name) for column in shown]
        bleu = [run.result.get("BLEU", {}).get(name) for name in ("confidence", "split", "signature")]
        writer.writerow([run.name, " ".join(f"{key}={value}" for key, value in own.items()), *numbers, *bleu])
    return file.getvalue()


def comparability_notes(runs: Sequence[FinishedRun]) -> list[str]:
    """Say how the numbers were computed and which of them cannot be compared between these runs."""
    methods: dict[str, None] = {}
    for run in runs:
        if bleu := run.result.get("BLEU"):
            interval = ", ± half its 95 % confidence interval" if "confidence" in bleu else ""
            methods[f"BLEU on {bleu.get('split', 'a split not named')}{interval}: {bleu.get('signature')}"] = None
    notes = list(methods)
    notes.append(
        "Multiply-adds: those of matrix products per target token, forward pass, 20 source and 20 target tokens, "
        "readout included."
    )
    if len({run.test_set() for run in runs if "BLEU" in run.result}) > 1:
        notes.append("BLEU and AER are not comparable: test sets, splits or signatures differ between these runs.")
    if len({run.pieces() for run in runs}) > 1:
        notes.append("Perplexities are not comparable: tokenizers differ between these runs.")
    return notes
