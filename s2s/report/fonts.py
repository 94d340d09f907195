"""Fonts: which installed families together have every character of a picture, and what to install where none has."""

import logging
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache

from matplotlib import font_manager
from matplotlib.font_manager import FontProperties

__all__ = ["SUBSTITUTE", "choose_families", "font", "missing_glyph_notice", "quiet_font_search", "substituted"]

SUBSTITUTE = "\N{REPLACEMENT CHARACTER}"

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


@contextmanager
def quiet_font_search() -> Iterator[None]:
    """Keep matplotlib from reporting a family whose only face is not of regular weight, as many Chinese ones are."""
    logger = logging.getLogger("matplotlib.font_manager")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


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
        face = font_manager.get_font(font_manager.findfont(font([family], 10), fallback_to_default=False))
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


def font(families: list[str], size: float) -> FontProperties:
    """Regular letters of these families, the first that has a character drawing it; size in points."""
    return FontProperties(
        family=families, style="normal", variant="normal", weight="normal", stretch="normal", size=size
    )


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


def substituted(labels: list[str], missing: list[str]) -> list[str]:
    """Labels with a substitute for every character that no font has."""
    table = str.maketrans(dict.fromkeys(missing, SUBSTITUTE))
    return [label.translate(table) for label in labels]


def _is_east_asian(character: str) -> bool:
    return unicodedata.name(character, "").startswith(EAST_ASIAN_NAMES)
