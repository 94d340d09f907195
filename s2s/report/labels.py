"""Labels of a picture: pieces as people read them."""

import re
import unicodedata

from s2s.report.fonts import SHAPELESS

__all__ = ["readable", "visible"]

BLANK_PIECE = "\N{OPEN BOX}"
LONGEST_LABEL = 24
# Marks of direction, of places to break a line and the like, which show nothing in a label.
UNSEEN = re.compile("[\u00ad\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff]")


def visible(text: str) -> str:
    """Turn line breaks and the like into blanks and drop what shows nothing, such as marks of direction."""
    blanked = "".join(" " if unicodedata.category(character) in ("Cc", "Zl", "Zp") else character for character in text)
    return " ".join(UNSEEN.sub("", blanked).split())


def readable(token: str) -> str:
    """Make a piece readable: ``▁Haus`` -> ``Haus``, a piece that shows nothing -> ``␣``."""
    text = visible(token.replace("▁", " "))
    if not SHAPELESS.sub("", text):
        return BLANK_PIECE
    if len(text) <= LONGEST_LABEL:
        return text
    end = LONGEST_LABEL - 1
    while end > 1 and (unicodedata.category(text[end]).startswith("M") or SHAPELESS.match(text[end])):
        end -= 1
    return text[:end] + "…"
