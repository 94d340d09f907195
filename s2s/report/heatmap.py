"""Pictures of attention: what each target label looked at, in any script an installed font can write."""

import textwrap
import unicodedata
import warnings
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.text import Text

from s2s.errors import InputError
from s2s.report.fonts import choose_families, font, missing_glyph_notice, quiet_font_search, substituted
from s2s.report.labels import readable, visible
from s2s.report.picture import INK, checked_path, save_picture
from s2s.report.sheet import View

__all__ = ["COLOURS", "MOST_LABELS", "Heatmaps", "draw_heatmap", "draw_heatmaps"]

MOST_LABELS = 150

FAINT_INK = "#8a8a8a"

# One hue, and L* of CIELAB falls evenly from 96 to 14, so that equal steps look equal with any kind of colour vision.
COLOURS = LinearSegmentedColormap.from_list(
    "attention",
    (
        *("#ecf5fa", "#b9e2fb", "#8bcdf9", "#5fb7f3", "#36a0e8", "#1089d6"),
        *("#0a72be", "#1d5ca1", "#28467f", "#29335b", "#222237"),
    ),
)
POINTS_PER_INCH = 72
# Inches. A page shows a picture about 900 pixels wide: 60 labels over 12 inches are then letters of 10 pixels.
LARGEST_CELL, SMALLEST_CELL, WIDEST_GRID, WIDEST_ROW, GAP, LEVEL_GAP = 0.46, 0.2, 12.0, 16.0, 0.5, 0.07
LARGEST_LETTERS = 12.0  # points
# Share of a cell that letters take: upright or level ones, and slanted ones, whose lines are closer by the root of two.
STRAIGHT_SHARE, SLANTED_SHARE, LEAST_SLANTED = 0.78, 0.58, 10.0


def draw_heatmap(view: View, path: str | Path, *, title: str = "") -> str:
    """Draw attention with one row per target label and one column per source label: `draw_heatmaps` of one."""
    return draw_heatmaps([view], path, titles=[title])


@quiet_font_search()
def draw_heatmaps(views: Sequence[View], path: str | Path, *, titles: Sequence[str]) -> str:
    """Draw several views in one picture, side by side, in rows where they would get too wide.

    Args:
        views: the blank sign of pieces, ``▁``, is left away from labels; of more than 150 the first are drawn.
        path: the picture, ``.png``, ``.svg`` or ``.pdf``; folders that are missing are made. Text in SVG stays text,
            whose glyphs the viewer chooses.
        titles: a line above each; nothing for none.

    Returns:
        What people should know, a line each: labels that were left out, and, but for SVG, what to install where no
        installed font has a character, which is drawn as ``�``.

    Raises:
        InputError: there is no view or no label, titles differ in number, a weight is not from 0 to 1, the suffix is
            another, or the file cannot be written.
    """
    picture = checked_path(path, "heatmap")
    leave_glyphs = picture.suffix.lower() == ".svg"
    with warnings.catch_warnings():
        if leave_glyphs:
            warnings.filterwarnings("ignore", "Glyph .* missing from font")
        heatmaps = Heatmaps(views, titles, leave_glyphs=leave_glyphs)
        heatmaps.save(picture)
    return heatmaps.notice()


class Heatmaps:
    """A figure of heatmaps. It is one inch by one inch and cut to fit when it is saved, so that places are inches.

    Args:
        views: one or more.
        titles: one for each.
        leave_glyphs: missing ones are the viewer's to find, not to be substituted.
    """

    def __init__(self, views: Sequence[View], titles: Sequence[str], *, leave_glyphs: bool = False) -> None:
        if not views or len(titles) != len(views):
            raise InputError(f"{len(titles)} titles for {len(views)} heatmaps, expected one for each of one or more")
        for view in views:
            _check(view)
        self.missing: dict[str, None] = {}
        self.leave_glyphs = leave_glyphs
        self.cropped = _crop_notice(views)
        self.figure = Figure(figsize=(1, 1), facecolor="white")
        FigureCanvasAgg(self.figure)
        shown = [_crop(view) for view in views]
        longest = max(max(view.weights.shape) for view in shown)
        self.cell: float = min(LARGEST_CELL, max(SMALLEST_CELL, WIDEST_GRID / (longest * min(2, len(views)))))
        self.panels = [self._draw(view) for view in shown]
        for panel, title in enumerate(titles):
            self.entitle(title, panel)
        self._draw_colour_bar(_arrange(self.panels))

    def save(self, path: Path) -> None:
        """Write the picture."""
        save_picture(self.figure, path, "heatmap")

    def notice(self) -> str:
        """What people should know, a line each."""
        missing = "" if self.leave_glyphs else missing_glyph_notice(list(self.missing))
        return "\n".join(line for line in (self.cropped, missing) if line)

    def colour(self, view: View) -> None:
        """Give the first heatmap the weights of a view between the same labels."""
        _check(view)
        self.panels[0].collections[0].set_array(_crop(view).weights)

    def entitle(self, title: str, panel: int = 0) -> None:
        """Write a title above a heatmap in place of what stands there."""
        axes = self.panels[panel]
        written = self._written(iter([_wrapped(visible(title), axes.get_position().width + 1.5)]), LARGEST_LETTERS)
        [text] = written.pop("labels")
        axes.set_title(text, color=INK, pad=12, loc="left", **written)

    def _draw(self, view: View) -> Axes:
        """Draw a grid and its labels, the grid's lower left corner at the origin."""
        rows, columns = view.weights.shape
        axes = self.figure.add_axes((0, 0, self.cell * columns, self.cell * rows))
        axes.pcolormesh(view.weights, cmap=COLOURS, vmin=0, vmax=1, edgecolors="white", linewidth=self.cell * 1.6)
        axes.tick_params(length=0, pad=4, labelcolor=INK, top=True, labeltop=True, bottom=False, labelbottom=False)
        axes.invert_yaxis()
        axes.spines[:].set_visible(False)
        size = self._letter_size(STRAIGHT_SHARE)
        axes.set_xticks(np.arange(columns) + 0.5, va="bottom", **self._written(map(readable, view.source), size))
        axes.set_yticks(np.arange(rows) + 0.5, **self._written(map(readable, view.target), size))
        if not self._fit_side_by_side(axes.get_xticklabels()):
            self._turn(axes.get_xticklabels())
        return axes

    def _written(self, labels: Iterator[str], size: float) -> dict[str, Any]:
        """Labels and the letters to write them in, the fonts chosen by all of them together."""
        texts = list(labels)
        families, missing = choose_families("".join(texts))
        self.missing.update(dict.fromkeys(missing))
        if self.leave_glyphs:
            families = [*families, "sans-serif"]
        else:
            texts = substituted(texts, missing)
        return {"labels": texts, "fontproperties": font(families, size), "parse_math": False}

    def _letter_size(self, share: float) -> float:
        return min(LARGEST_LETTERS, share * self.cell * POINTS_PER_INCH)

    def _fit_side_by_side(self, labels: list[Text]) -> bool:
        """Whether level labels stay as far apart as words in a line, which they must not be taken for."""
        inches = [label.get_window_extent().width / self.figure.dpi for label in labels]
        return all((left + right) / 2 + LEVEL_GAP <= self.cell for left, right in pairwise(inches))

    def _turn(self, labels: list[Text]) -> None:
        """Slant labels while their letters stay large enough, else set them upright."""
        size = self._letter_size(SLANTED_SHARE)
        for label in labels:
            if size >= LEAST_SLANTED:
                label.set(rotation=45, ha="left", rotation_mode="anchor", size=size)
            else:
                label.set(rotation=90, ha="left", va="center_baseline", rotation_mode="anchor")

    def _draw_colour_bar(self, beside: Axes) -> None:
        """Draw the scale to the right of a grid, at most 1.4 inches tall."""
        grid = beside.get_position()
        tall = min(1.4, grid.height)
        scale = self.figure.add_axes((grid.x1 + 0.22, grid.y1 - tall, 0.1, tall))
        bar = self.figure.colorbar(beside.collections[0], cax=scale, ticks=[0, 0.5, 1], drawedges=False)
        bar.outline.set(edgecolor="#cccccc", linewidth=0.5)
        written = self._written(iter(["0", "0.5", "1"]), 8)
        scale.set_yticks([0, 0.5, 1], **written)
        scale.tick_params(length=0, pad=3, labelcolor=FAINT_INK)


def _arrange(panels: list[Axes]) -> Axes:
    """Set panels in rows, the tops of a row's grids on one line; return the last panel of the first row."""
    inches = panels[0].figure.dpi_scale_trans.inverted()
    boxes = [box.transformed(inches) for panel in panels if (box := panel.get_tightbbox())]
    grids = [panel.get_position() for panel in panels]
    head = max(box.y1 - grid.y1 for box, grid in zip(boxes, grids, strict=True))
    last, right, top, bottom = panels[0], 0.0, 0.0, 0.0
    for panel, box, grid in zip(panels, boxes, grids, strict=True):
        if right and right + box.width > WIDEST_ROW:
            right, top = 0.0, bottom - GAP - head
        panel.set_position((right - box.x0, top - grid.height, grid.width, grid.height))
        right += box.width + GAP
        bottom = min(bottom, top - (grid.y1 - box.y0))
        last = panel if top == 0 else last
    return last


def _check(view: View) -> None:
    if 0 in view.weights.shape:
        raise InputError(
            f"heatmap of {len(view.target)} target and {len(view.source)} source labels, expected at least one of "
            "each; pass the translation of a sentence that has words"
        )
    if not ((view.weights >= -1e-6) & (view.weights <= 1 + 1e-6)).all():
        raise InputError(
            f"heatmap of weights from {view.weights.min()} to {view.weights.max()}, expected numbers from 0 to 1; "
            "pass attention weights, after the softmax"
        )


def _crop(view: View) -> View:
    kept = slice(MOST_LABELS)
    return View(view.source[kept], view.target[kept], view.weights[kept, kept], view.log_probs[kept])


def _crop_notice(views: Sequence[View]) -> str:
    rows, columns = (max(view.weights.shape[side] for view in views) for side in (0, 1))
    if max(rows, columns) <= MOST_LABELS:
        return ""
    return (
        f"heatmap of {rows} target and {columns} source labels, of which the first {MOST_LABELS} are drawn; "
        "draw words instead of pieces, or the sentence in parts"
    )


def _wrapped(title: str, width: float) -> str:
    """Break a title into lines of about this width in inches, not shorter than a few words."""
    letters = sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in title)
    fitting = max(30, int(width * POINTS_PER_INCH / (0.58 * LARGEST_LETTERS)))
    return title if letters <= fitting else textwrap.fill(title, max(1, fitting * len(title) // letters))
