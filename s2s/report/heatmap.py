"""A picture of attention: what each target piece looked at, in any script an installed font can write."""

import unicodedata
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import QuadMesh
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from numpy.typing import NDArray

from s2s.errors import InputError
from s2s.report.fonts import choose_families, font, quiet_font_search, substituted
from s2s.report.picture import INK, checked_path, save_picture

__all__ = ["draw_heatmap"]

BLANK_PIECE = "\N{OPEN BOX}"
LONGEST_LABEL = 24

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
LARGEST_CELL, SMALLEST_CELL, WIDEST_GRID, LARGEST_GRID = 0.46, 0.26, 12.0, 100.0


@quiet_font_search()
def draw_heatmap(
    attention: NDArray[Any],
    source_tokens: Sequence[str],
    target_tokens: Sequence[str],
    path: str | Path,
    *,
    title: str | None = None,
) -> list[str]:
    """Draw attention with one row per target piece and one column per source piece; return what no font can write.

    Args:
        attention: (T, S), weights from 0 to 1.
        source_tokens: S labels above the columns; the blank sign of pieces, ``▁``, is left away.
        target_tokens: T labels beside the rows.
        path: the picture, ``.png``, ``.svg`` or ``.pdf``; folders that are missing are made.
        title: a line above the picture.

    Returns:
        The characters no installed font has, each once, drawn as ``�``; see `fonts.missing_glyph_notice`.

    Raises:
        InputError: matrix and labels differ in number, a weight is not from 0 to 1, the suffix is another,
            or the file cannot be written.
    """
    weights = _checked(attention, source_tokens, target_tokens)
    picture = checked_path(path, "heatmap")
    columns, rows = ([_label(token) for token in tokens] for tokens in (source_tokens, target_tokens))
    heading = _visible(title or "")
    families, missing = choose_families("".join([*columns, *rows, heading]))
    columns, rows, [heading] = (substituted(labels, missing) for labels in (columns, rows, [heading]))

    save_picture(_compose(weights, columns, rows, families, heading), picture, "heatmap")
    return missing


def _visible(text: str) -> str:
    """Turn line breaks and the like into blanks and drop what has no shape, such as zero-width marks."""
    blanked = "".join(" " if unicodedata.category(character) in ("Cc", "Zl", "Zp") else character for character in text)
    shaped = (c for c in blanked if unicodedata.category(c) != "Cf" and not "\ufe00" <= c <= "\ufe0f")
    return " ".join("".join(shaped).split())


def _label(token: str) -> str:
    """Make a piece readable: ``▁Haus`` -> ``Haus``, a piece that is only a blank -> ``␣``."""
    text = _visible(token.replace("▁", " ")) or BLANK_PIECE
    return text if len(text) <= LONGEST_LABEL else text[: LONGEST_LABEL - 1] + "…"


def _checked(
    attention: NDArray[Any], source_tokens: Sequence[str], target_tokens: Sequence[str]
) -> NDArray[np.float64]:
    weights = np.asarray(attention, dtype=np.float64)
    labelled = (len(target_tokens), len(source_tokens))
    if weights.shape != labelled or 0 in labelled:
        raise InputError(
            f"heatmap of attention {weights.shape} with {labelled[0]} target and {labelled[1]} source labels, expected "
            "one row for each target and one column for each source label, at least one of each; pass the matrix and "
            "the tokens of one translation"
        )
    if not ((weights >= -1e-6) & (weights <= 1 + 1e-6)).all():
        raise InputError(
            f"heatmap of weights from {weights.min()} to {weights.max()}, expected numbers from 0 to 1; "
            "pass attention weights, after the softmax"
        )
    return weights


def _cell_size(shape: tuple[int, ...]) -> float:
    """Choose the side of a cell in inches: large for few tokens, never too small for a label at up to 60."""
    longest = max(shape)
    return min(LARGEST_CELL, max(SMALLEST_CELL, WIDEST_GRID / longest), LARGEST_GRID / longest)


def _compose(
    weights: NDArray[np.float64], columns: list[str], rows: list[str], families: list[str], heading: str
) -> Figure:
    """Lay the picture out in inches; what stands outside the grid is cut to fit when it is saved."""
    cell = _cell_size(weights.shape)
    figure = Figure(figsize=(cell * len(columns), cell * len(rows)), facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    mesh = axes.pcolormesh(weights, cmap=COLOURS, vmin=0, vmax=1, edgecolors="white", linewidth=cell * 1.6)
    _draw_labels(axes, columns, rows, families, cell)
    _draw_colour_bar(figure, mesh, families)
    if heading:
        axes.set_title(heading, fontproperties=font(families, 12), color=INK, pad=12, loc="left", parse_math=False)
    return figure


def _draw_labels(axes: Axes, columns: list[str], rows: list[str], families: list[str], cell: float) -> None:
    size = min(12.0, 0.58 * cell * POINTS_PER_INCH)
    letters = font(families, size)
    axes.set_xticks(np.arange(len(columns)) + 0.5, columns, va="bottom", fontproperties=letters, parse_math=False)
    axes.set_yticks(np.arange(len(rows)) + 0.5, rows, fontproperties=letters, parse_math=False)
    axes.tick_params(length=0, pad=4, labelcolor=INK, top=True, labeltop=True, bottom=False, labelbottom=False)
    axes.invert_yaxis()
    axes.spines[:].set_visible(False)
    if not _fit_side_by_side(columns, size, cell):
        for label in axes.get_xticklabels():
            label.set(rotation=45, ha="left", rotation_mode="anchor")


def _fit_side_by_side(labels: list[str], size: float, cell: float) -> bool:
    """Estimate whether level labels of this letter size (points) stay apart over cells of this width (inches)."""
    wide = [sum(1.0 if unicodedata.east_asian_width(letter) in "WF" else 0.6 for letter in label) for label in labels]
    return all((left + right) / 2 * size + 2 <= cell * POINTS_PER_INCH for left, right in pairwise(wide))


def _draw_colour_bar(figure: Figure, mesh: QuadMesh, families: list[str]) -> None:
    """Draw the scale to the right of the grid, at most 1.4 inches tall."""
    width, height = figure.get_size_inches()
    tall = min(1.4, height)
    scale = figure.add_axes((1 + 0.22 / width, 1 - tall / height, 0.1 / width, tall / height))
    bar = figure.colorbar(mesh, cax=scale, ticks=[0, 0.5, 1], drawedges=False)
    bar.outline.set(edgecolor="#cccccc", linewidth=0.5)
    scale.set_yticklabels(["0", "0.5", "1"], fontproperties=font(families, 8))
    scale.tick_params(length=0, pad=3, labelcolor=FAINT_INK)
