"""A picture of how runs learnt: validation perplexity and BLEU over the minutes of training."""

from collections.abc import Sequence
from itertools import cycle, product
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator

from s2s.errors import InputError
from s2s.report.compare import FinishedRun
from s2s.report.fonts import choose_families, font, missing_glyph_notice, quiet_font_search, substituted
from s2s.report.picture import INK, checked_path, save_picture

__all__ = ["draw_curves"]

# Okabe & Ito's colours, which differ with any kind of colour vision, without their yellow, too faint for a line.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
DASHES: tuple[Any, ...] = ("-", (0, (5, 1.6)), (0, (1.4, 1.2)), (0, (5, 1.2, 1.2, 1.2)))
PANELS = (("perplexity", "validation perplexity"), ("bleu", "validation BLEU"), ("chrf", "validation chrF2"))
LOOKS = tuple(product(DASHES, COLOURS))
GRID = "#dddddd"
LONGEST_LABEL = 60
LEAST_HEIGHT, LEGEND_LINE = 2.7, 0.175  # inches, of a panel and of a line in its legend


@quiet_font_search()
def draw_curves(runs: Sequence[FinishedRun], path: str | Path) -> str:
    """Draw perplexity on a logarithmic scale, and BLEU below it, or chrF2, where a run was validated by it.

    A dot marks the best checkpoint; legends tell its value and are in its order. Runs without a validation on record
    are left out.

    Args:
        runs: each with a look of its own, up to 28 of them.
        path: the picture, ``.png``, ``.svg`` or ``.pdf``; folders that are missing are made.

    Returns:
        What to install where no installed font has a character, drawn as ``�``; else nothing.

    Raises:
        InputError: no run has a validation on record, the suffix is another, or the file cannot be written.
    """
    picture = checked_path(path, "curves")
    lines = {run.name: [record for record in run.records if record.get("split") == "valid"] for run in runs}
    lines = {name: records for name, records in lines.items() if records}
    if not lines:
        raise InputError("curves of runs without any validation on record; name runs whose metrics.jsonl has some")
    families, missing = choose_families("".join(lines))
    save_picture(_compose(lines, families, missing), picture, "curves")
    return missing_glyph_notice(missing)


def _compose(lines: dict[str, list[Any]], families: list[str], missing: list[str]) -> Figure:
    """Set the panels one above the other, each with its legend on its right; it is cut to fit when it is saved."""
    measured = {name for records in lines.values() for record in records for name in record}
    wanted = [panel for panel in PANELS if panel[0] in measured and not (panel[0] == "chrf" and "bleu" in measured)]
    tall = max(LEAST_HEIGHT, LEGEND_LINE * len(lines) + 0.2)
    figure = Figure(figsize=(7.2, (tall + 0.5) * len(wanted)), facecolor="white")
    FigureCanvasAgg(figure)
    panels = figure.subplots(len(wanted), 1, sharex=True, squeeze=False)[:, 0]
    figure.subplots_adjust(left=0, right=1, bottom=0, top=1, hspace=0.5 / tall)
    for axes, (measure, title) in zip(panels, wanted, strict=True):
        drawn = []
        for (name, records), look in zip(lines.items(), cycle(LOOKS)):
            if points := _points(records, measure):
                drawn.append(_draw_line(axes, points, look, label=substituted([_label(name)], missing)[0]))
        _dress(axes, title, logarithmic=measure == "perplexity")
        _draw_legend(axes, [line for _, line in sorted(drawn, key=lambda one: -one[0])], families)
    panels[-1].set_xlabel("minutes of training", color=INK)
    return figure


def _points(records: list[Any], measure: str) -> list[tuple[float, float, bool]]:
    """Minutes, value and whether it was the best so far, of every validation that has this measure."""
    return [
        (record["seconds"] / 60, value["value"] if isinstance(value, dict) else value, record.get("best", False))
        for record in records
        if (value := record.get(measure)) is not None
    ]


def _draw_line(
    axes: Axes, points: list[tuple[float, float, bool]], look: tuple[Any, str], *, label: str
) -> tuple[float, Line2D]:
    """Draw one run in one panel, and a dot at its best checkpoint; return the value there, which the label ends in."""
    best = next((point for point in reversed(points) if point[2]), points[-1])
    dashes, colour = look
    axes.plot([best[0]], [best[1]], marker="o", markersize=4.5, color=colour)
    (line,) = axes.plot(
        [point[0] for point in points],
        [point[1] for point in points],
        label=f"{label}  {best[1]:.2f}",
        linewidth=1.6,
        color=colour,
        linestyle=dashes,
    )
    return best[1], line


def _draw_legend(axes: Axes, lines: list[Line2D], families: list[str]) -> None:
    """Name the lines on the right of the panel."""
    legend = axes.legend(
        handles=lines,
        loc="center left",
        bbox_to_anchor=(1.01, 0.5),
        frameon=False,
        handlelength=3.2,
        labelspacing=0.25,
        prop=font(families, 9),
        labelcolor=INK,
    )
    for text in legend.get_texts():
        text.set_parse_math(False)


def _label(name: str) -> str:
    return name if len(name) <= LONGEST_LABEL else name[: LONGEST_LABEL - 1] + "…"


def _dress(axes: Axes, title: str, *, logarithmic: bool) -> None:
    """Give a panel its scale, title and light grid."""
    axes.set_title(title, loc="left", color=INK, fontsize=10)
    axes.grid(color=GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color("#999999")
    axes.tick_params(colors=INK, labelsize=9, length=3, color="#999999")
    axes.set_xlim(left=0)
    if logarithmic:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(base=10, subs=(1, 2, 5), numticks=12))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.minorticks_off()
