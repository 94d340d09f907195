"""Flaws of Chinese sentences: particles and word order."""

from itertools import pairwise
from typing import NamedTuple

from flaws import Derived, changed, moved, texts
from phrase import Phrase

ADVERBIAL_KINDS = {"past", "future", "habit", "frequency", "manner", "company", "modal"}
BEFORE_THE_VERB = {"会", "正在", "已经", "没有", "什么时候", "为什么", "在哪里"}
CLOSING = "。！？，吗的"
EXCHANGED = {"比": "把", "把": "比"}
WITH_LE = {"past", "duration", "since"}
"""Constructions enough for 了, which most others have, too, not to crowd out the other particles."""


class Chunk(NamedTuple):
    """Consecutive characters that express one meaning."""

    start: int
    end: int
    text: str


def chunks(words: Phrase) -> list[Chunk]:
    """Cut a sentence into its words, by the meaning of each character."""
    found: list[Chunk] = []
    for i, word in enumerate(words):
        if found and words[i - 1][1:] == word[1:]:
            found[-1] = Chunk(found[-1].start, i + 1, found[-1].text + word.text)
        else:
            found.append(Chunk(i, i + 1, word.text))
    return found


def verbs(sentence: Derived) -> list[tuple[Chunk, int]]:
    """The verbs of the sentence, each with the end of its 了, or with its own end."""
    words = sentence.meaning.chinese
    forms = {form for verb in sentence.verbs for form in (verb.chinese, verb.chinese + verb.tail)}
    found = [chunk for chunk in chunks(words) if chunk.text in forms]
    return [(chunk, chunk.end + (words[chunk.end].text == "了")) for chunk in found]


def place_before(words: Phrase, verb: Chunk) -> int:
    """Where a place (``在公园里``) starts that ends at the verb; the verb itself if there is none."""
    localizer = words[verb.start - 1]
    starts = [i for i, word in enumerate(words) if word.text == "在" and word.surely == localizer.surely]
    return starts[0] if starts and localizer.text in "里上" else verb.start


def order(sentence: Derived) -> list[Phrase]:
    """Put behind a verb what belongs before it, or before a comparison what belongs behind it.

    Time, frequency, manner, modal verb or negation (``安娜吃了昨天面包``) where an object follows, the place of a verb
    that cannot have it behind (``他们跳舞在公园里``), and the quality compared (``那条小船大比那列火车``).
    """
    words = sentence.meaning.chinese
    early = BEFORE_THE_VERB | {entry.chinese for entry in sentence.adverbials if entry.kind in ADVERBIAL_KINDS}
    wrong: list[Phrase] = []
    for chunk in chunks(words):
        end = next((end for verb, end in verbs(sentence) if verb.start >= chunk.end), len(words) - 1)
        if chunk.text in early and "，" not in texts(words[chunk.end : end]) and words[end].text not in CLOSING:
            wrong.append(moved(words, chunk.start, chunk.end, end))
    for verb, end in verbs(sentence):
        compounds = {entry.chinese + entry.tail for entry in sentence.verbs if entry.tail}
        if verb.text in compounds and sentence.construction != "where-question":
            wrong.append(moved(words, place_before(words, verb), verb.start, end))
    if sentence.construction == "comparison":
        wrong.append(moved(words, chunks(words)[-2].start, len(words) - 1, texts(words).index("比")))
    return wrong


def misplaced_de(sentence: Derived) -> list[Phrase]:
    """Put 的 behind the noun that it belongs before: ``老师汽车的``, ``他看见汽车的``."""
    words = sentence.meaning.chinese
    things = {noun.chinese for noun in sentence.nouns if "person" not in noun.classes}
    relative = sentence.construction in {"subject-relative", "object-relative"}
    people = {noun.chinese for noun in sentence.nouns} - things
    found = chunks(words)
    return [
        moved(words, chunk.end - 1, chunk.end, noun.end)
        for chunk, noun in pairwise(found)
        if (chunk.text == "的" and relative and noun.text in things | people)
        or (len(chunk.text) > 1 and chunk.text.endswith("的") and noun.text in things)
    ]


def particle(sentence: Derived) -> list[Phrase]:
    """Put 的, 把 or, in a few constructions, 了 in a wrong place, say 没有 or 正在 with 了, or mix up 比 and 把."""
    words = sentence.meaning.chinese
    wrong = misplaced_de(sentence)
    for chunk in chunks(words):
        if chunk.text == "已经":
            wrong += [replaced(words, chunk, "没有"), replaced(words, chunk, "正在")]
        if chunk.text in EXCHANGED and not words[chunk.start].possibly:
            wrong.append(replaced(words, chunk, EXCHANGED[chunk.text]))
        if chunk.text == "放":
            ba = texts(words).index("把")
            wrong.append(moved(words, ba, ba + 1, chunk.start))
    if sentence.construction in WITH_LE and not wrong:
        wrong = [moved(words, verb.end, end, verb.start) for verb, end in verbs(sentence) if end > verb.end]
    return wrong


def replaced(words: Phrase, chunk: Chunk, text: str) -> Phrase:
    """Write another word of the same length in the place of a chunk."""
    for i, character in enumerate(text, chunk.start):
        words = changed(words, i, character)
    return words
