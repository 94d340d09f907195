"""A picture of attention: what each target piece looked at, in any script an installed font can write."""

import logging
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import QuadMesh
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from numpy.typing import NDArray

from s2s.errors import InputError

__all__ = ["draw_heatmap", "missing_glyph_notice"]

SUFFIXES = (".png", ".svg", ".pdf")
SUBSTITUTE = "\N{REPLACEMENT CHARACTER}"
BLANK_PIECE = "\N{OPEN BOX}"
LONGEST_LABEL = 24

# DejaVu Sans comes with matplotlib, so one family is always there.
DEFAULT_FAMILY = "DejaVu Sans"
EAST_ASIAN_FAMILIES = (
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Noto Sans SC",
    "Source Han Sans SC",
    "PingFang SC",
    "Hiragino Sans GB",
    "Heiti SC",
    "STHeiti",
    "Microsoft YaHei",
    "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei",
    "Droid Sans Fallback",
    "SimHei",
    "Arial Unicode MS",
)
EAST_ASIAN_NAMES = ("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "BOPOMOFO", "IDEOGRAPHIC", "FULLWIDTH")

INK, FAINT_INK = "#222222", "#8a8a8a"

# One hue, and L* of CIELAB falls evenly from 96 to 14, so that equal steps look equal with any kind of colour vision.
COLOURS = LinearSegmentedColormap.from_list(
    "attention",
    (
        *("#ecf5fa", "#b9e2fb", "#8bcdf9", "#5fb7f3", "#36a0e8", "#1089d6"),
        *("#0a72be", "#1d5ca1", "#28467f", "#29335b", "#222237"),
    ),
)
POINTS_PER_INCH = 72
DOTS_PER_INCH = 200
LARGEST_CELL, SMALLEST_CELL, WIDEST_GRID, LARGEST_GRID = 0.46, 0.26, 12.0, 100.0


@contextmanager
def _quiet_font_search() -> Iterator[None]:
    """Keep matplotlib from reporting a family whose only face is not of regular weight, as many Chinese ones are."""
    logger = logging.getLogger("matplotlib.font_manager")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


@_quiet_font_search()
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
        The characters no installed font has, each once, drawn as ``�``; `missing_glyph_notice` puts them in words.

    Raises:
        InputError: matrix and labels differ in number, a weight is not from 0 to 1, the suffix is another,
            or the file cannot be written.
    """
    weights = _checked(attention, source_tokens, target_tokens)
    picture = Path(path)
    if picture.suffix.lower() not in SUFFIXES:
        raise InputError(
            f"heatmap {str(path)!r} ends in {picture.suffix!r}, expected one of {', '.join(SUFFIXES)}; "
            "rename the picture"
        )
    columns, rows = ([_label(token) for token in tokens] for tokens in (source_tokens, target_tokens))
    heading = _visible(title or "")
    families, missing = choose_families("".join([*columns, *rows, heading]))
    columns, rows, [heading] = (_substitute(labels, missing) for labels in (columns, rows, [heading]))

    _save(_compose(weights, columns, rows, families, heading), picture)
    return missing


def missing_glyph_notice(characters: Sequence[str]) -> str:
    """Say which characters could not be drawn and what to install; empty if there are none."""
    if not characters:
        return ""
    shown = "".join(characters[:20]) + ("…" if len(characters) > 20 else "")
    remedy = "install a font that has them, such as one of https://fonts.google.com/noto"
    if any(_is_east_asian(character) for character in characters):
        remedy = (
            "install a font for Chinese, Japanese and Korean: `apt install fonts-noto-cjk` (Debian, Ubuntu), "
            "`dnf install google-noto-sans-cjk-fonts` (Fedora), `brew install --cask font-noto-sans-cjk` (macOS), "
            "or Noto Sans SC from https://fonts.google.com/noto"
        )
    return (
        f"no installed font can draw {shown} ({len(characters)} different), shown as {SUBSTITUTE}; {remedy}; draw again"
    )


def choose_families(characters: Iterable[str], candidates: Iterable[str] | None = None) -> tuple[list[str], list[str]]:
    """Find font families that together have every character: -> (families, characters none of them has).

    Args:
        characters: what will be drawn; blanks need no glyph.
        candidates: the families to try after DejaVu Sans; by default those made for Chinese, then any other installed.
    """
    families = [DEFAULT_FAMILY]
    wanted = dict.fromkeys(character for character in characters if not character.isspace())
    missing = _without_glyphs_of(DEFAULT_FAMILY, list(wanted))
    for family in _installed_families() if candidates is None else candidates:
        if not missing:
            break
        remaining = _without_glyphs_of(family, missing)
        if len(remaining) < len(missing):
            families.append(family)
        missing = remaining
    return families, missing


def _without_glyphs_of(family: str, characters: list[str]) -> list[str]:
    """Return the characters the regular face of a family lacks; all of them if it is not installed or is no outline."""
    try:
        face = font_manager.get_font(font_manager.findfont(_font([family], 10), fallback_to_default=False))
        glyphs = face.get_charmap() if face.scalable else {}
    except (OSError, RuntimeError, ValueError):
        return characters
    return [character for character in characters if ord(character) not in glyphs]


def _installed_families() -> Iterator[str]:
    """Yield the families on this computer, those for East Asia first, fonts newer than matplotlib's own list last."""
    known = {entry.name for entry in font_manager.fontManager.ttflist}
    yield from (family for family in EAST_ASIAN_FAMILIES if family in known)
    yield from sorted(family for family in known.difference(EAST_ASIAN_FAMILIES) if _has_true_glyphs(family))
    _register_new_fonts()
    added = {entry.name for entry in font_manager.fontManager.ttflist} - known
    yield from sorted(filter(_has_true_glyphs, added))


@cache
def _register_new_fonts() -> None:
    """Add fonts installed since matplotlib wrote its font list, which it never renews by itself."""
    known = {str(entry.fname) for entry in font_manager.fontManager.ttflist}
    for file in font_manager.findSystemFonts():
        if str(file) not in known:
            # A file matplotlib cannot read is no candidate.
            with suppress(OSError, RuntimeError, ValueError):
                font_manager.fontManager.addfont(file)


def _has_true_glyphs(family: str) -> bool:
    """Tell fonts that write a script from those that have a box for every character there is."""
    return "lastresort" not in family.replace(" ", "").lower() and "Adobe Blank" not in family


def _font(families: list[str], size: float) -> FontProperties:
    return FontProperties(
        family=families, style="normal", variant="normal", weight="normal", stretch="normal", size=size
    )


def _is_east_asian(character: str) -> bool:
    return unicodedata.name(character, "").startswith(EAST_ASIAN_NAMES)


def _visible(text: str) -> str:
    """Turn line breaks and the like into blanks and drop what has no shape, such as zero-width marks."""
    blanked = "".join(" " if unicodedata.category(character) in ("Cc", "Zl", "Zp") else character for character in text)
    shaped = (c for c in blanked if unicodedata.category(c) != "Cf" and not "\ufe00" <= c <= "\ufe0f")
    return " ".join("".join(shaped).split())


def _label(token: str) -> str:
    """Make a piece readable: ``▁Haus`` -> ``Haus``, a piece that is only a blank -> ``␣``."""
    text = _visible(token.replace("▁", " ")) or BLANK_PIECE
    return text if len(text) <= LONGEST_LABEL else text[: LONGEST_LABEL - 1] + "…"


def _substitute(labels: list[str], missing: list[str]) -> list[str]:
    table = str.maketrans(dict.fromkeys(missing, SUBSTITUTE))
    return [label.translate(table) for label in labels]


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
        axes.set_title(heading, fontproperties=_font(families, 12), color=INK, pad=12, loc="left", parse_math=False)
    return figure


def _draw_labels(axes: Axes, columns: list[str], rows: list[str], families: list[str], cell: float) -> None:
    size = min(12.0, 0.58 * cell * POINTS_PER_INCH)
    font = _font(families, size)
    axes.set_xticks(np.arange(len(columns)) + 0.5, columns, va="bottom", fontproperties=font, parse_math=False)
    axes.set_yticks(np.arange(len(rows)) + 0.5, rows, fontproperties=font, parse_math=False)
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
    scale.set_yticklabels(["0", "0.5", "1"], fontproperties=_font(families, 8))
    scale.tick_params(length=0, pad=3, labelcolor=FAINT_INK)


def _save(figure: Figure, path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=DOTS_PER_INCH, bbox_inches="tight", pad_inches=0.15, facecolor="white")
    except OSError as error:
        raise InputError(
            f"heatmap {str(path)!r} cannot be written ({error.strerror}), expected a path in a folder you may "
            "write to; name another one"
        ) from error
