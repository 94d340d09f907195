"""A derived sentence, and what every flaw does to its words: change one, move some, find where a noun phrase ends.

A flaw lists the wrong versions of a derived sentence in one language, none where the result might be right.
"""

from collections import Counter
from collections.abc import Callable, Set
from dataclasses import dataclass
from functools import cached_property
from random import Random

from clause import Expression
from generate import CONSTRUCTIONS
from lexicon import Adverbial, Lexicon, Noun, Verb
from nominal import Derivation
from phrase import Phrase, join

TIMES = ("past", "future", "habit")
AFTER_A_CLAUSE = {"when", "if", "although"}
AFTER_A_QUESTION_WORD = {"what-question", "whom-question", "where-question", "when-why-question"}
TRANSITIVE = {"object", "glance", "mishap", "dative", "gift"}


@dataclass(frozen=True)
class Derived:
    """A sentence in three languages, with the rule and the lexemes it was derived from; ``seed`` repeats it."""

    seed: str
    lexicon: Lexicon
    construction: str
    meaning: Expression
    lexemes: frozenset[str]

    @cached_property
    def nouns(self) -> list[Noun]:
        """The nouns of the sentence."""
        return [noun for noun in self.lexicon.nouns if noun.german in self.lexemes]

    @cached_property
    def verbs(self) -> list[Verb]:
        """The verbs of the sentence."""
        return [verb for verb in self.lexicon.verbs if verb.german in self.lexemes]

    @cached_property
    def adverbials(self) -> list[Adverbial]:
        """The adverbials, numbers, modal verbs and names of the sentence."""
        return [entry for entry in self.lexicon.adverbials if entry.german in self.lexemes]

    @property
    def living(self) -> int:
        """How many people and animals it names."""
        return sum(not noun.classes.isdisjoint(("person", "animal")) for noun in self.nouns) + sum(
            entry.kind.startswith("name") for entry in self.adverbials
        )


Flaw = Callable[[Derived], list[Phrase]]


def derive(seed: str, lexicon: Lexicon, construction: str) -> Derived:
    """Run one construction from a seed of its own."""
    d = Derivation(Random(seed), lexicon, Counter())
    meaning = CONSTRUCTIONS[construction](d)
    return Derived(seed, lexicon, construction, meaning, frozenset(d.lexemes))


def changed(words: Phrase, i: int, text: str) -> Phrase:
    """Write another word in the place of word ``i``."""
    return (*words[:i], words[i]._replace(text=text), *words[i + 1 :])


def moved(words: Phrase, start: int, end: int, to: int) -> Phrase:
    """Move the words from ``start`` to ``end`` before the word that is at ``to``."""
    if to < start:
        return join(words[:to], words[start:end], words[to:start], words[end:])
    return join(words[:start], words[end:to], words[start:end], words[to:])


def texts(words: Phrase) -> list[str]:
    """What the words say."""
    return [word.text for word in words]


def phrase_end(words: Phrase, start: int, heads: Set[str]) -> int:
    """Where the noun phrase at ``start`` ends: after the first of the ``heads``, or with the sentence."""
    return next((i + 1 for i in range(start, len(words)) if words[i].text in heads), len(words))


def front_end(sentence: Derived, words: Phrase, time: Callable[[Adverbial], str]) -> int:
    """How many words stand in front of subject and verb: a time, a question word, a subordinate clause, or nothing."""
    said = texts(words)
    if sentence.construction in AFTER_A_QUESTION_WORD:
        return 1
    if sentence.construction in AFTER_A_CLAUSE:
        return said.index(",") + 1
    fronts = [time(entry).split() for entry in sentence.adverbials if entry.kind in TIMES]
    return max((len(front) for front in fronts if said[: len(front)] == front), default=0)
