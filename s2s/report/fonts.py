"""Fonts: which installed families together have every character of a picture, and what to install where none has."""

import logging
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache

from matplotlib import font_manager
from matplotlib.font_manager import FontProperties
from matplotlib.ft2font import FT2Font, LoadFlags

__all__ = ["SUBSTITUTE", "choose_families", "font", "missing_glyph_notice", "quiet_font_search", "substituted"]

SUBSTITUTE = "\N{REPLACEMENT CHARACTER}"

# DejaVu Sans comes with matplotlib, so one family is always there.
DEFAULT_FAMILY = "DejaVu Sans"
# The same Chinese character is written differently in Japan, Korea and China: kana or hangul tells whose forms to take.
JAPANESE_FAMILIES = ("Noto Sans CJK JP", "Noto Sans JP", "Source Han Sans JP", "Hiragino Sans", "Yu Gothic", "Meiryo")
KOREAN_FAMILIES = ("Noto Sans CJK KR", "Noto Sans KR", "Source Han Sans KR", "Apple SD Gothic Neo", "Malgun Gothic")
CHINESE_FAMILIES = (
    "Noto Sans CJK SC",
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
KANA, HANGUL = re.compile("[\u3041-\u30fa]"), re.compile("[\u1100-\u11ff\uac00-\ud7a3]")
# Joiners, selectors and marks of direction change their neighbours, and tags name a flag: none has a shape of its own.
SHAPELESS = re.compile(
    "[\u00ad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufe00-\ufe0f\U000e0020-\U000e007f\U000e0100-\U000e01ef]"
)

EAST_ASIAN_NAMES = ("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "BOPOMOFO", "IDEOGRAPHIC", "FULLWIDTH")
NOTO_SCRIPTS = (
    *("ARABIC", "ARMENIAN", "BENGALI", "DEVANAGARI", "ETHIOPIC", "GEORGIAN", "GUJARATI", "GURMUKHI", "HEBREW"),
    *("KANNADA", "KHMER", "LAO", "MALAYALAM", "MONGOLIAN", "MYANMAR", "ORIYA", "SINHALA", "TAMIL", "TELUGU", "THAI"),
)
EMOJI = re.compile("[\U0001f000-\U0001faff]")


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
        characters: what will be drawn; blanks, joiners and the like need no glyph.
        candidates: the families to try after DejaVu Sans; by default all that are installed, those made for the
            language first.
    """
    families = [DEFAULT_FAMILY]
    wanted = dict.fromkeys(one for one in characters if not one.isspace() and not SHAPELESS.match(one))
    missing = _without_glyphs_of(DEFAULT_FAMILY, list(wanted))
    if missing and candidates is None:
        candidates = _by_preference(_installed_families(), "".join(wanted))
    for family in candidates or ():
        if not missing:
            break
        remaining = _without_glyphs_of(family, missing)
        if len(remaining) < len(missing):
            families.append(family)
        missing = remaining
    return families, missing


def _without_glyphs_of(family: str, characters: list[str]) -> list[str]:
    """Return the characters the regular face of a family has no outline of; all of them if it is not installed."""
    try:
        face = font_manager.get_font(font_manager.findfont(font([family], 10), fallback_to_default=False))
        glyphs = face.get_charmap() if face.scalable else {}
        return [character for character in characters if ord(character) not in glyphs or not _has_ink(face, character)]
    except (OSError, RuntimeError, ValueError):
        return characters


def _has_ink(face: FT2Font, character: str) -> bool:
    """Tell an outline from the empty one of a font whose picture of the character is of colours."""
    face.load_char(ord(character), flags=LoadFlags.NO_SCALE)
    return len(face.get_path()[0]) > 0


def _by_preference(families: Iterable[str], text: str) -> list[str]:
    """Sort families: those made for the language of a text, then the plain faces of Noto, then the others."""
    japanese = JAPANESE_FAMILIES if KANA.search(text) else ()
    korean = KOREAN_FAMILIES if HANGUL.search(text) else ()
    preferred = list(dict.fromkeys((*japanese, *korean, *CHINESE_FAMILIES)))
    order = {family: place for place, family in enumerate(preferred)}
    return sorted(families, key=lambda name: (order.get(name, len(order)), not name.startswith("Noto Sans"), name))


def _installed_families() -> Iterator[str]:
    """Yield the families on this computer."""
    _register_new_fonts()
    installed = {entry.name for entry in font_manager.fontManager.ttflist}
    return filter(_has_true_glyphs, installed)


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
    """Say which characters could not be drawn and what to install, a line per script; empty if there are none."""
    scripts: dict[str, list[str]] = {}
    for character in characters:
        scripts.setdefault(_script(character), []).append(character)
    return "\n".join(
        f"no installed font can draw {''.join(lacking[:20])}{'…' * (len(lacking) > 20)} ({len(lacking)} different), "
        f"shown as {SUBSTITUTE}; {_remedy(script)}; draw again"
        for script, lacking in scripts.items()
    )


def _script(character: str) -> str:
    """Name the script, or the kind, that fonts for this character are sold by; empty if it is not known."""
    name = unicodedata.name(character, "")
    if name.startswith(EAST_ASIAN_NAMES):
        return "CJK"
    if EMOJI.match(character):
        return "EMOJI"
    return next((script for script in NOTO_SCRIPTS if name.startswith(f"{script} ")), "")


def _remedy(script: str) -> str:
    if script == "CJK":
        return (
            "install a font for Chinese, Japanese and Korean: `apt install fonts-noto-cjk` (Debian, Ubuntu), "
            "`dnf install google-noto-sans-cjk-fonts` (Fedora), `brew install --cask font-noto-sans-cjk` (macOS), "
            "or Noto Sans SC from https://fonts.google.com/noto"
        )
    if script == "EMOJI":
        return (
            "colour emoji cannot be drawn, so install an emoji font of outlines: "
            "`apt install fonts-symbola` (Debian, Ubuntu), `dnf install google-noto-emoji-fonts` (Fedora), "
            "`brew install --cask font-noto-emoji` (macOS), or Noto Emoji from https://fonts.google.com/noto"
        )
    if script:
        return (
            f"install a font for {script.capitalize()}: `apt install fonts-noto-core` (Debian, Ubuntu), "
            f"`dnf install google-noto-sans-{script.lower()}-fonts` (Fedora), "
            f"`brew install --cask font-noto-sans-{script.lower()}` (macOS), "
            f"or Noto Sans {script.capitalize()} from https://fonts.google.com/noto"
        )
    return (
        "install a font that has them, such as one of https://fonts.google.com/noto: `apt install fonts-noto-core` "
        "(Debian, Ubuntu), `dnf install google-noto-fonts-all` (Fedora)"
    )


def substituted(labels: list[str], missing: list[str]) -> list[str]:
    """Labels with a substitute for every character that no font has."""
    table = str.maketrans(dict.fromkeys(missing, SUBSTITUTE))
    return [label.translate(table) for label in labels]
