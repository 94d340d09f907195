"""Noun phrases, pronouns and names: who and what a sentence is about, declined in German, with Chinese classifiers."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from random import Random
from typing import TypeVar

import english
import german
from lexicon import Adjective, Adverbial, Lexicon, Noun, Verb
from phrase import Phrase, hanzi, join, say

Entry = TypeVar("Entry", Noun, Verb, Adjective, Adverbial)


@dataclass
class Derivation:
    """One run of the grammar: its randomness, the keys it has given out and the lexemes it has used.

    ``usage`` counts lexemes over all runs, so that rare ones can be preferred.
    """

    random: Random
    lexicon: Lexicon
    usage: Counter[str] = field(default_factory=Counter)
    lexemes: set[str] = field(default_factory=set)
    keys: Iterator[int] = field(default_factory=count)

    def key(self) -> int:
        """Give out a key for a new unit of meaning."""
        return next(self.keys)

    def pick(self, entries: Sequence[Entry]) -> Entry:
        """Choose the rarest of three random lexemes and note that the sentence contains it."""
        entry = min((self.random.choice(entries) for _ in range(3)), key=lambda entry: self.usage[entry.german])
        self.usage[entry.german] += 1
        self.lexemes.add(entry.german)
        return entry

    def chance(self, share: float) -> bool:
        """Be true in this share of all cases."""
        return self.random.random() < share

    def verb(self, kind: str) -> Verb:
        """Choose a verb of a kind of clause."""
        return self.pick(self.lexicon.verbs_by_kind[kind])

    def adverbial(self, kind: str) -> Adverbial:
        """Choose an adverbial of a kind."""
        return self.pick(self.lexicon.by_kind[kind])

    def noun(self, *classes: str) -> Noun:
        """Choose a noun of one of the classes that the sentence does not contain yet."""
        pool = self.lexicon.nouns_of(frozenset(classes))
        fresh = [entry for entry in pool if entry.german not in self.lexemes]
        return self.pick(fresh or pool)


@dataclass(frozen=True)
class Nominal:
    """A noun phrase or pronoun in every case; ``who`` is the person its verb agrees with."""

    german: dict[str, Phrase]
    english: Phrase
    english_object: Phrase
    chinese: Phrase
    who: str
    key: int
    light: bool = False
    noun: Noun | None = None


@dataclass(frozen=True)
class Determiner:
    """A determiner: its German stem and endings, the endings of adjectives after it, and its counterparts."""

    german: str
    endings: str
    adjective_endings: str
    english: str
    english_plural: str
    chinese: str
    chinese_plural: str


THE = Determiner("d", "der", "weak", "the", "the", "那", "那些")
THIS = Determiner("dies", "dies", "weak", "this", "these", "这", "这些")
A = Determiner("ein", "ein", "mixed", "a", "", "一", "")
NO = Determiner("kein", "ein", "mixed", "a", "", "", "")
SOME = Determiner("einig", "dies", "strong", "", "some", "", "一些")
MANY = Determiner("viel", "dies", "strong", "", "many", "", "很多")
POSSESSIVES = (
    Determiner("mein", "ein", "mixed", "my", "my", "我的", ""),
    Determiner("dein", "ein", "mixed", "your", "your", "你的", ""),
    Determiner("sein", "ein", "mixed", "his", "his", "他的", ""),
    Determiner("unser", "ein", "mixed", "our", "our", "我们的", ""),
)
CLASSIFIED = {"那", "这", "一"}

PRONOUNS = (
    # nominative, accusative, dative; English subject and object; Chinese; agreement. An empty form is ambiguous.
    ("ich", "mich", "mir", "I", "me", "我", "ich"),
    ("du", "dich", "dir", "you", "you", "你", "du"),
    ("er", "ihn", "ihm", "he", "him", "他", "er"),
    ("sie", "", "ihr", "she", "her", "她", "er"),
    ("wir", "uns", "uns", "we", "us", "我们", "wir"),
    ("sie", "", "ihnen", "they", "them", "他们", "wir"),
)


def noun_phrase(
    d: Derivation,
    noun: Noun,
    determiner: Determiner,
    *,
    plural: bool = False,
    adjective: Adjective | None = None,
    bare: bool = False,
) -> Nominal:
    """Decline ``determiner adjective noun``; a ``bare`` definite noun has no determiner in Chinese."""
    det, quality, thing = d.key(), d.key(), d.key()
    cases = {}
    for case in german.CASES:
        article = determiner.german + german.ending(determiner.endings, case, noun.gender, plural=plural)
        words = [say(article, det)]
        if adjective:
            form = german.adjective_form(adjective, determiner.adjective_endings, case, noun.gender, plural=plural)
            words.append(say(form, quality))
        words.append(say(german.noun_form(noun, case, plural=plural), thing))
        cases[case] = join(*words)
    head = say(noun.english_plural if plural else noun.english, thing)
    if adjective:
        head = join(say(adjective.english, quality), head)
    word = determiner.english_plural if plural else determiner.english
    if word == "a":
        word = english.indefinite(head[0].text)
    english_words = join(say(word, det), head)
    chinese = chinese_phrase(noun, determiner, plural, adjective, bare, (det, quality, thing))
    return Nominal(cases, english_words, english_words, chinese, "wir" if plural else "er", thing, noun=noun)


def chinese_phrase(
    noun: Noun,
    determiner: Determiner,
    plural: bool,
    adjective: Adjective | None,
    bare: bool,
    keys: tuple[int, int, int],
) -> Phrase:
    """Say a noun phrase in Chinese: determiner, classifier, adjective, noun, and 们 after several known people."""
    det, quality, thing = keys
    described = chinese_attribute(adjective, quality) if adjective else ()
    name = hanzi(noun.chinese, thing)
    if bare and not adjective and "adult" not in noun.classes:
        people = plural and "person" in noun.classes
        if people or not plural:
            return join(name, hanzi("们", thing) if people else ())
    word = determiner.chinese_plural if plural else determiner.chinese
    classifier = noun.classifier if word in CLASSIFIED else ""
    if adjective and adjective.particle:
        word = word.removesuffix("的")
    return join(hanzi(word, det), hanzi(classifier, possibly=(thing,)), described, name)


def chinese_attribute(adjective: Adjective, key: int) -> Phrase:
    """An adjective before a noun, with its particle 的 where it takes one."""
    return join(hanzi(adjective.chinese, key), hanzi(adjective.particle, possibly=(key,)))


def counted(d: Derivation, noun: Noun, adjective: Adjective | None = None) -> Nominal:
    """``drei kleine Hunde``, three small dogs, 三只小狗."""
    number = d.adverbial("number")
    det, quality, thing = d.key(), d.key(), d.key()
    cases = {}
    for case in german.CASES:
        form = german.adjective_form(adjective, "strong", case, noun.gender, plural=True) if adjective else ""
        cases[case] = join(
            say(number.german, det), say(form, quality), say(german.noun_form(noun, case, plural=True), thing)
        )
    words = join(
        say(number.english, det),
        say(adjective.english, quality) if adjective else (),
        say(noun.english_plural, thing),
    )
    chinese = join(
        hanzi(number.chinese, det),
        hanzi(noun.classifier, possibly=(thing, det)),
        chinese_attribute(adjective, quality) if adjective else (),
        hanzi(noun.chinese, thing),
    )
    return Nominal(cases, words, words, chinese, "wir", thing, noun=noun)


def mass(d: Derivation, noun: Noun) -> Nominal:
    """A substance without an article: ``Tee``, tea, 茶."""
    key = d.key()
    cases = {case: say(noun.german, key) for case in german.CASES}
    return Nominal(
        cases, say(noun.english, key), say(noun.english, key), hanzi(noun.chinese, key), "er", key, noun=noun
    )


def owned_by(d: Derivation, noun: Noun) -> Nominal:
    """``das Auto des Lehrers``, the teacher's car, 老师的汽车."""
    owner = noun_phrase(d, d.noun("person"), THE, bare=True)
    item = d.key()
    cases = {}
    for case in german.CASES:
        article = say(german.article(case, noun.gender, plural=False), possibly=(item,))
        words = join(article, say(german.noun_form(noun, case, plural=False), item))
        cases[case] = join(words, owner.german["genitive"])
    *first, holder = owner.english
    english_words = join(tuple(first), (holder._replace(text=holder.text + "'s"),), say(noun.english, item))
    chinese = join(owner.chinese, hanzi("的", owner.key), hanzi(noun.chinese, item))
    return Nominal(cases, english_words, english_words, chinese, "er", item, noun=noun)


def name(d: Derivation) -> Nominal:
    """A person's name, the same in every case but the genitive."""
    entry = d.adverbial(d.random.choice(("name f", "name m")))
    key = d.key()
    cases = {case: say(entry.german, key) for case in german.CASES}
    return Nominal(cases, say(entry.english, key), say(entry.english, key), hanzi(entry.chinese, key), "er", key)


def pronoun(d: Derivation, row: tuple[str, ...]) -> Nominal:
    """A personal pronoun from its row of forms."""
    key = d.key()
    nominative, accusative, dative, subject, object_, chinese, who = row
    d.lexemes.add(nominative if subject != "they" else "sie (Plural)")
    cases = {"nominative": say(nominative, key), "accusative": say(accusative, key), "dative": say(dative, key)}
    return Nominal(cases, say(subject, key), say(object_, key), hanzi(chinese, key), who, key, light=True)


def some_adjective(d: Derivation, noun: Noun, share: float = 0.4) -> Adjective | None:
    """Describe a noun in a share of all cases."""
    fitting = d.lexicon.adjectives_for(noun, attribute=True)
    return d.pick(fitting) if fitting and d.chance(share) else None


def subject(d: Derivation, *, pronouns: bool = True) -> Nominal:
    """Choose who acts: a known person, a name or a pronoun."""
    draw = d.random.random()
    if draw < 0.18:
        return name(d)
    if draw < 0.36 and pronouns:
        return pronoun(d, d.random.choice(PRONOUNS))
    noun = d.noun("person")
    if "kin" in noun.classes and d.chance(0.4):
        return noun_phrase(d, noun, d.random.choice(POSSESSIVES), adjective=some_adjective(d, noun, 0.1))
    determiner = THIS if d.chance(0.15) else THE
    adjective = some_adjective(d, noun, 0.2)
    return noun_phrase(d, noun, determiner, plural=d.chance(0.2), adjective=adjective, bare=determiner is THE)


def thing(d: Derivation, noun: Noun, *, definite: bool = False, owned: bool = True) -> Nominal:
    """Choose how a noun is determined as an object: this house, three houses, my house, the teacher's house."""
    if "mass" in noun.classes:
        return mass(d, noun)
    if owned and d.chance(0.1):
        return owned_by(d, noun)
    adjective = some_adjective(d, noun)
    if owned and d.chance(0.12):
        return noun_phrase(d, noun, d.random.choice(POSSESSIVES), adjective=adjective)
    draw = d.random.random() * (0.45 if definite else 1.0)
    if draw < 0.35:
        return noun_phrase(d, noun, THE, plural=d.chance(0.2), adjective=adjective)
    if draw < 0.45:
        return noun_phrase(d, noun, THIS, plural=d.chance(0.3), adjective=adjective)
    if draw < 0.75:
        return noun_phrase(d, noun, A, adjective=adjective)
    if draw < 0.92:
        return counted(d, noun, adjective)
    return noun_phrase(d, noun, SOME if d.chance(0.5) else MANY, plural=True, adjective=adjective)
