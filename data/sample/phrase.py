"""Words that remember what they mean, so that alignment links fall out of the derivation.

Every unit of meaning in a derivation has a key. A rule writes each word with the keys it expresses: surely, as the
counterpart itself (a noun, a participle, a separated prefix), or possibly, as its helper (an auxiliary, a classifier).
Words of two languages that share a key are linked.
"""

import re
from typing import NamedTuple

WORD = re.compile(
    r"[\u3400-\u9fff\uf900-\ufaff]"
    r"|[^\W\u3400-\u9fff\uf900-\ufaff]+(?:['’-][^\W\u3400-\u9fff\uf900-\ufaff]+)*"
    r"|[^\w\s]"
)
"""What counts as a word of an alignment line: one Chinese character, one punctuation mark, one run of letters."""


class Word(NamedTuple):
    """A word on the surface with the keys it expresses ``surely`` and those it only helps to express."""

    text: str
    surely: tuple[int, ...]
    possibly: tuple[int, ...]


Phrase = tuple[Word, ...]


def say(text: str, *surely: int, possibly: tuple[int, ...] = ()) -> Phrase:
    """Write German or English text as one word per blank-separated part, all with the same keys."""
    return tuple(Word(part, surely, possibly) for part in text.split())


def hanzi(text: str, *surely: int, possibly: tuple[int, ...] = ()) -> Phrase:
    """Write Chinese text as one word per character, all with the same keys."""
    return tuple(Word(character, surely, possibly) for character in text)


def join(*phrases: Phrase) -> Phrase:
    """Put phrases one after another."""
    return tuple(word for phrase in phrases for word in phrase)


def spaced_text(phrase: Phrase) -> str:
    """Spell a German or English sentence: blanks between words, none before punctuation, a capital first."""
    text = ""
    for word in phrase:
        text += word.text if not text or word.text in ".,?!" else " " + word.text
    return text[0].upper() + text[1:]


def chinese_text(phrase: Phrase) -> str:
    """Spell a Chinese sentence: nothing between the characters."""
    return "".join(word.text for word in phrase)


def links(source: Phrase, target: Phrase) -> str:
    """List the links of two phrases of one meaning as ``i-j`` (both words sure of a shared key) or ``i?j``."""
    sure: dict[int, list[int]] = {}
    shared: dict[int, list[int]] = {}
    for j, word in enumerate(target):
        for key in word.surely:
            sure.setdefault(key, []).append(j)
        for key in word.surely + word.possibly:
            shared.setdefault(key, []).append(j)
    found: list[str] = []
    for i, word in enumerate(source):
        surely = {j for key in word.surely for j in sure.get(key, ())}
        linked = surely.union(j for key in word.surely + word.possibly for j in shared.get(key, ()))
        found.extend(f"{i}-{j}" if j in surely else f"{i}?{j}" for j in sorted(linked))
    return " ".join(found)
