"""A picture of what happens inside recurrent cells: how far each gate is open, and what the cell holds, per token."""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from s2s.errors import InputError
from s2s.report.fonts import choose_families, font, missing_glyph_notice, quiet_font_search, substituted
from s2s.report.heatmap import COLOURS, MOST_LABELS
from s2s.report.labels import readable, visible
from s2s.report.picture import DOTS_PER_INCH, INK, checked_path, save_picture

__all__ = ["CellTrace", "draw_gates"]

# Purple below nought and orange above, which differ with any kind of colour vision (ColorBrewer's PuOr).
DIVERGING = colormaps["PuOr_r"]
FAINT_INK, PALE_INK = "#8a8a8a", "#cccccc"
KEEPING_GATES = ("forget_gate", "update_gate")

LETTERS, POINTS_PER_INCH = 9.0, 72  # letters in points, all below in inches
CELL, STRIP, UNIT, LOWEST_PANEL, HIGHEST_PANEL = 0.36, 0.24, 0.1, 0.6, 1.1
MARGIN, SCALE, NAME = 0.95, 0.45, 0.54  # left, right and above
PANEL_GAP, SIDE_GAP, TRACE_GAP, NARROWEST_TRACE, WIDEST_PICTURE = 0.1, 0.4, 0.6, 2.8, 15.0


@dataclass(frozen=True, eq=False)
class CellTrace:
    """What one layer of one direction did at each position.

    Args:
        name: such as ``encoder, layer 1, forward`` or ``decoder, layer 2``.
        labels: T pieces, in the order of the sentence.
        values: by name, each (T, H): gates, whose names end in ``gate`` and whose numbers lie from 0 to 1, and what
            they let through, such as ``content``, ``memory`` and ``hidden``, of any sign.

    Raises:
        InputError: there is no value, shapes and labels differ, or a number is not finite or no gate's.
    """

    name: str
    labels: tuple[str, ...]
    values: Mapping[str, NDArray[Any]]

    def __post_init__(self) -> None:
        shapes = {value.shape for value in self.values.values()}
        shape = next(iter(shapes), ())
        if len(shapes) != 1 or len(shape) != 2 or shape[0] != len(self.labels) or 0 in shape:
            raise InputError(
                f"trace {self.name!r} has values of shapes {sorted(shapes)} for {len(self.labels)} labels, expected "
                "(labels, units) of all, at least one of each; pass the values and the pieces of one sentence"
            )
        for name, value in self.values.items():
            low, high = (0.0, 1.0) if _is_gate(name) else (-np.inf, np.inf)
            if not (np.isfinite(value) & (value >= low - 1e-6) & (value <= high + 1e-6)).all():
                raise InputError(
                    f"trace {self.name!r} has {name} from {value.min()} to {value.max()}, expected "
                    f"{'numbers from 0 to 1' if _is_gate(name) else 'finite numbers'}; pass gates after the sigmoid"
                )


@quiet_font_search()
def draw_gates(traces: Sequence[CellTrace], path: str | Path, *, title: str = "") -> str:
    """Draw each trace as two blocks under its tokens: means over its units, and every unit.

    Above, the mean over units at each token is coloured and written: of a gate itself, of other values, whose signs
    would cancel out, their sizes, ``|memory|``. Below, each unit has a line in every value, at the same height, so that
    one can read down from what its forget gate keeps to what its memory holds. Units are sorted by the mean of the gate
    that keeps the old state, ``forget_gate`` or ``update_gate``, keepers above; without one by the mean of the last
    value. Neighbours share a dot where there are more units than dots.

    Colours of a gate go from 0 to 1, those of another value from -m to m, where m is the size that 99 of 100 of its
    numbers stay within; numbers beyond it look like it.

    Args:
        traces: one or more; side by side as far as there is room; of more than 150 labels the first are drawn.
        path: the picture, ``.png``, ``.svg`` or ``.pdf``; folders that are missing are made. Text in SVG stays text,
            whose glyphs the viewer chooses.
        title: a line above the picture.

    Returns:
        What people should know, a line each: labels that were left out, and what to install where no installed font has
        a character, which is drawn as ``�``.

    Raises:
        InputError: there is no trace, the suffix is another, or the file cannot be written.
    """
    if not traces:
        raise InputError("picture of gates without a trace, expected one or more; pass what the layers did")
    picture = checked_path(path, "picture of gates")
    shown = [_shown(trace) for trace in traces]
    heading = visible(title)
    texts = [heading, *(text for trace in shown for text in (trace.name, *trace.labels, *map(_spelt, trace.values)))]
    families, missing = choose_families("".join(texts))
    if picture.suffix.lower() == ".svg":
        families, missing = [*families, "sans-serif"], []
    save_picture(_Picture(shown, heading, families, missing).figure, picture, "picture of gates")
    most = max(len(trace.labels) for trace in traces)
    cropped = f"picture of {most} labels, of which the first {MOST_LABELS} are drawn" if most > MOST_LABELS else ""
    return "\n".join(line for line in (cropped, missing_glyph_notice(missing)) if line)


def _shown(trace: CellTrace) -> CellTrace:
    """A trace as it is drawn: readable labels, and no more than there is room for."""
    values = {name: value[:MOST_LABELS] for name, value in trace.values.items()}
    return CellTrace(visible(trace.name), tuple(map(readable, trace.labels[:MOST_LABELS])), values)


class _Picture:
    """A figure of traces. It is one inch by one inch and cut to fit when it is saved, so that places are inches."""

    def __init__(self, traces: Sequence[CellTrace], heading: str, families: list[str], missing: list[str]) -> None:
        self.families, self.missing = families, missing
        self.head = NAME + max(map(_height_of_labels, traces))
        self.figure = Figure(figsize=(1, 1), facecolor="white")
        FigureCanvasAgg(self.figure)
        if heading:
            self._write(heading, 0, 0.25, 13)
        left = top = bottom = 0.0
        for trace in traces:
            width = max(NARROWEST_TRACE, MARGIN + CELL * len(trace.labels) + SCALE)
            if left and left + width > WIDEST_PICTURE:
                left, top = 0.0, bottom - TRACE_GAP
            bottom = min(bottom, self._draw(trace, left, top))
            left += width + SIDE_GAP

    def _draw(self, trace: CellTrace, left: float, top: float) -> float:
        """Draw a trace whose top left corner is here; return where its bottom is."""
        order, by = _unit_order(trace)
        units = f"means over {len(order)} units; below, each unit,\nthe highest mean {_spelt(by)} on top"
        self._write(trace.name, left, top - 0.15, 12)
        self._write(units, left, top - 0.47, 8, FAINT_INK)
        left, width = left + MARGIN, CELL * len(trace.labels)
        bottom = top - self.head - STRIP * len(trace.values)
        axes = self._axes(left, bottom, width, STRIP * len(trace.values))
        self._draw_means(trace, axes)
        self._write_tokens(trace.labels, axes, above=True)
        tall = min(HIGHEST_PANEL, max(LOWEST_PANEL, UNIT * len(order)))
        for name, value in trace.values.items():
            bottom -= PANEL_GAP + tall
            axes = self._axes(left, bottom, width, tall)
            self._draw_units(name, value[:, order], axes, blend=len(order) > tall * DOTS_PER_INCH)
            self._draw_scale(axes, self._axes(left + width + 0.1, bottom, 0.08, tall))
        self._write_tokens(trace.labels, axes, above=False)
        return bottom - _height_of_labels(trace)

    def _draw_means(self, trace: CellTrace, axes: Axes) -> None:
        """A row for each value, a column for each token, the number in the cell."""
        names = [_spelt(name) if _is_gate(name) else f"|{_spelt(name)}|" for name in trace.values]
        for row, (name, value) in enumerate(trace.values.items()):
            means = (value if _is_gate(name) else np.abs(value)).mean(axis=1)
            look = _look(name, value)
            axes.pcolormesh(range(len(means) + 1), (row, row + 1), means[None], edgecolors="white", linewidth=1, **look)
            for column, mean in enumerate(means):
                paper = look["cmap"](look["norm"](mean))[:3]
                ink = INK if np.dot(paper, (0.3, 0.59, 0.11)) > 0.5 else "white"
                axes.text(column + 0.5, row + 0.52, f"{mean:.2f}", color=ink, ha="center", va="center", fontsize=7)
        axes.invert_yaxis()
        axes.set_yticks(np.arange(len(names)) + 0.5, **self._written(names, 9))
        axes.tick_params(length=0, pad=4, labelcolor=INK)
        axes.spines[:].set_visible(False)

    def _write_tokens(self, labels: Sequence[str], axes: Axes, *, above: bool) -> None:
        written = self._written(labels, LETTERS)
        axes.tick_params(top=above, labeltop=above, bottom=not above, labelbottom=not above)
        axes.set_xticks(np.arange(len(labels)) + 0.5, va="bottom" if above else "top", **written)
        if not _fit_side_by_side(labels):
            for label in axes.get_xticklabels():
                label.set(rotation=45, ha="left" if above else "right", rotation_mode="anchor")

    def _draw_units(self, name: str, value: NDArray[Any], axes: Axes, *, blend: bool) -> None:
        """A line for each unit, (T, H) turned on its side."""
        tokens, units = value.shape
        # Blending is in both directions; repeated tokens keep their sharp sides.
        image = np.repeat(value.T, 24, axis=1)
        smooth = "hanning" if blend else "nearest"
        look = _look(name, value)
        axes.imshow(image, aspect="auto", interpolation=smooth, extent=(0, tokens, units, 0), **look)
        axes.set_yticks([units / 2], **self._written([_spelt(name)], 9))
        axes.set_xticks([])
        axes.tick_params(length=0, pad=4, labelcolor=INK)
        axes.spines[:].set(edgecolor=PALE_INK, linewidth=0.5)

    def _draw_scale(self, axes: Axes, beside: Axes) -> None:
        low, high = axes.images[0].get_clim()
        ticks = (low, (low + high) / 2, high)
        bar = self.figure.colorbar(axes.images[0], cax=beside)
        bar.outline.set(edgecolor=PALE_INK, linewidth=0.5)
        beside.set_yticks(ticks, **self._written([f"{tick:.2g}".replace("-", "−") for tick in ticks], 7))
        for label, place in zip(beside.get_yticklabels(), ("bottom", "center", "top"), strict=True):
            label.set(verticalalignment=place)
        beside.tick_params(length=0, pad=3, labelcolor=FAINT_INK)

    def _axes(self, left: float, bottom: float, width: float, height: float) -> Axes:
        return self.figure.add_axes((left, bottom, width, height))

    def _written(self, labels: Sequence[str], size: float) -> dict[str, Any]:
        letters = font(self.families, size)
        return {"labels": substituted(list(labels), self.missing), "fontproperties": letters, "parse_math": False}

    def _write(self, text: str, left: float, bottom: float, size: float, colour: str = INK) -> None:
        written = self._written([text], size)
        [text] = written.pop("labels")
        self.figure.text(left, bottom, text, color=colour, **written)


def _is_gate(name: str) -> bool:
    return name.endswith("gate")


def _spelt(name: str) -> str:
    return name.replace("_", " ")


def _look(name: str, value: NDArray[Any]) -> dict[str, Any]:
    """Colours, and what numbers their ends stand for."""
    if _is_gate(name):
        return {"cmap": COLOURS, "norm": Normalize(0, 1)}
    limit = float(np.quantile(np.abs(value), 0.99)) or 1.0
    return {"cmap": DIVERGING, "norm": Normalize(-limit, limit)}


def _unit_order(trace: CellTrace) -> tuple[NDArray[np.intp], str]:
    """The units from the highest to the lowest mean of one value, and the name of that."""
    by = next((name for name in KEEPING_GATES if name in trace.values), list(trace.values)[-1])
    return np.argsort(-trace.values[by].mean(axis=0), kind="stable"), by


def _inches(label: str) -> float:
    """Estimate how wide a label is."""
    wide = sum(1.0 if unicodedata.east_asian_width(letter) in "WF" else 0.6 for letter in label)
    return wide * LETTERS / POINTS_PER_INCH


def _fit_side_by_side(labels: Sequence[str]) -> bool:
    return all((_inches(left) + _inches(right)) / 2 + 0.03 <= CELL for left, right in pairwise(labels))


def _height_of_labels(trace: CellTrace) -> float:
    return 0.25 if _fit_side_by_side(trace.labels) else 0.2 + 0.7 * max(map(_inches, trace.labels))
