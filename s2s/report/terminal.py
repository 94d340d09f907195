"""Attention in the terminal: a heatmap of shades or colours, and for each target word what it looked at."""

import unicodedata
from collections.abc import Iterator, Sequence

import numpy as np
from rich.cells import cell_len

from s2s.errors import InputError
from s2s.report.sheet import View

__all__ = ["heatmap_lines", "sentence_lines"]

BLANK_LABEL, SUBSTITUTE = "\N{OPEN BOX}", "\N{REPLACEMENT CHARACTER}"
JOINERS = "\N{ZERO WIDTH NON-JOINER}\N{ZERO WIDTH JOINER}"
RIGHT_TO_LEFT = {"R", "AL", "AN"}
LEFT_TO_RIGHT_MARK = "\N{LEFT-TO-RIGHT MARK}"

# In cells, one for a letter, two for a Chinese character.
LEAST_WIDTH, LONGEST_COLUMN, LEAST_COLUMN = 40, 12, 3

LEAST_WRITTEN = 0.005  # as 0.01

SHADES, SHADE_FROM = " ░▒▓█", (0.05, 0.25, 0.5, 0.75)
SHADE_SCALE = "0 · 0.05 ░ 0.25 ▒ 0.5 ▓ 0.75 █ 1"

# Of the 256 colours that every terminal has; L* of CIELAB falls from 94 to 27 in steps of 10 to 16.
BACKGROUNDS = (255, 153, 75, 32, 25, 20)
BLACK, WHITE = 16, 231
FIRST_UNDER_WHITE = 3


def heatmap_lines(view: View, *, width: int, colour: bool) -> list[str]:
    """Draw attention with one row per target label and one column per source label; no line is wider than ``width``.

    A source wider than that goes on in further bands, each headed by its columns, ``columns 13–24 of 30``. Labels
    longer than their place end in ``…``. The last line is the scale.

    Args:
        view: its labels may be of any script; what would steer the terminal is taken out of them.
        width: of the terminal in cells, 40 or more.
        colour: colour the cells by escape sequences and write into them, in percent, weights of 0.05 and more; else
            shades.

    Raises:
        InputError: the width is below 40, or a weight is not from 0 to 1.
    """
    if width < LEAST_WIDTH:
        raise InputError(f"width {width} for a heatmap, expected {LEAST_WIDTH} cells or more; widen the terminal")
    if not ((view.weights >= -1e-6) & (view.weights <= 1 + 1e-6)).all():
        raise InputError("heatmap of weights outside 0 to 1; pass attention weights, after the softmax")
    rows = [_shortened(_readable(label), width // 3) for label in view.target]
    columns = [_shortened(_readable(label), LONGEST_COLUMN) for label in view.source]
    widths = [max(LEAST_COLUMN, _cells(label)) for label in columns]
    margin = max(map(_cells, rows), default=0)
    tile = _coloured if colour else _shaded
    lines: list[str] = []
    for band in _bands(widths, width - margin):
        if len(band) < len(columns):
            lines.append(f"columns {band.start + 1}–{band.stop} of {len(columns)}")
        header = (_padded(columns[source], widths[source]) for source in band)
        lines.append(" ".join([" " * margin, *header]).rstrip(" "))
        for label, weights in zip(rows, view.weights, strict=True):
            tiles = (tile(float(weights[source]), widths[source]) for source in band)
            lines.append(" ".join([_padded(label, margin, right=True), *tiles]).rstrip(" "))
        lines.append("")
    return [*lines, _colour_scale() if colour else SHADE_SCALE]


def sentence_lines(view: View, *, least: float = 0.05) -> list[str]:
    """Write each target label with what it looked at, most first: ``apple <- 苹果 0.83, 我 0.06, …``.

    Args:
        view: its labels may be of any script; what would steer the terminal is taken out of them.
        least: source labels of a smaller weight are left out, all but the heaviest; ``…`` stands for them where they
            add up to 0.005 or more.

    Raises:
        InputError: ``least`` is not from 0 to 1.
    """
    if not 0 <= least <= 1:
        raise InputError(f"least weight is {least}, expected a number from 0 to 1; 0.05 is the default")
    source, target = ([_readable(label) for label in labels] for labels in (view.source, view.target))
    margin = max(map(_cells, target), default=0)
    lines = []
    for label, weights in zip(target, view.weights, strict=True):
        falling = np.argsort(-weights, kind="stable")
        shown = [index for place, index in enumerate(falling) if place == 0 or weights[index] >= least]
        parts = [f"{source[index]} {weights[index]:.2f}" for index in shown]
        if weights[falling[len(shown) :]].sum() >= LEAST_WRITTEN:
            parts.append("…")
        lines.append(f"{_padded(label, margin)} <- {', '.join(parts)}")
    return lines


def _readable(label: str) -> str:
    """A label as people write it, without anything that steers a terminal."""
    text = " ".join("".join(map(_harmless, label.replace("▁", " "))).split()) or BLANK_LABEL
    # Terminals that turn Arabic round would turn the numbers and columns beside it as well.
    turned = any(unicodedata.bidirectional(character) in RIGHT_TO_LEFT for character in text)
    return text + LEFT_TO_RIGHT_MARK if turned else text


def _harmless(character: str) -> str:
    """Make controls visible and drop marks without shape, such as those that turn the direction of a whole line."""
    if character.isspace():
        return " "
    category = unicodedata.category(character)
    if category in ("Cc", "Cs"):
        return SUBSTITUTE
    shapeless = category == "Cf" and character not in JOINERS
    return "" if shapeless or "\ufe00" <= character <= "\ufe0f" else character


def _cells(text: str) -> int:
    """How many cells a text takes; most terminals give one to the spacing vowels of Hindi, which rich does not."""
    spacing = [character for character in text if unicodedata.category(character) == "Mc"]
    return len(spacing) + cell_len(text.translate(dict.fromkeys(map(ord, spacing))))


def _shortened(text: str, longest: int) -> str:
    if _cells(text) <= longest:
        return text
    mark = LEFT_TO_RIGHT_MARK * text.endswith(LEFT_TO_RIGHT_MARK)
    starts = (text[:end] for end in range(len(text), -1, -1))
    return next(start for start in starts if _cells(start) < longest).rstrip(JOINERS) + "…" + mark


def _padded(text: str, width: int, *, right: bool = False) -> str:
    blanks = " " * (width - _cells(text))
    return blanks + text if right else text + blanks


def _bands(widths: Sequence[int], room: int) -> Iterator[range]:
    """Divide columns into runs that fit into the room, a blank before each column."""
    start, used = 0, 0
    for column, width in enumerate(widths):
        if column > start and used + 1 + width > room:
            yield range(start, column)
            start, used = column, 0
        used += 1 + width
    if widths:
        yield range(start, len(widths))


def _shaded(weight: float, width: int) -> str:
    return SHADES[sum(weight >= least for least in SHADE_FROM)] * width


def _coloured(weight: float, width: int) -> str:
    percent = f"{100 * weight:.0f}" if weight >= SHADE_FROM[0] else ""
    return _on_colour(round(weight * (len(BACKGROUNDS) - 1)), f"{percent:^{width}}")


def _on_colour(step: int, text: str) -> str:
    ink = WHITE if step >= FIRST_UNDER_WHITE else BLACK
    return f"\x1b[38;5;{ink};48;5;{BACKGROUNDS[step]}m{text}\x1b[0m"


def _colour_scale() -> str:
    last = len(BACKGROUNDS) - 1
    steps = "".join(_on_colour(step, f"{100 * step // last:^5}") for step in range(last + 1))
    return f"{steps} percent"
