"""Flaws of the lexicon: the same derivation once more, from a lexicon in which one noun has a wrong property.

What agrees with the noun follows it: its articles, its adjectives and its relative pronoun.
"""

from copy import copy
from dataclasses import replace
from random import Random

from clause import Expression
from flaws import Derived, derive
from lexicon import Adjective, Lexicon, Noun, Verb
from nominal import PRONOUNS
from phrase import Phrase, chinese_text

OF_TWO_GENDERS = {"Keks", "Radio", "E-Mail", "Messer", "Reis", "Stift"}
CLASSIFIERS = "位匹本封辆座朵"
"""Classifiers of few nouns, so that no other noun can have them."""
RELATED_CLASSIFIERS = ("位个", "匹只头", "本封份首篇张", "辆列架艘条台部", "座家所间片个台架张", "朵棵")
ANYTHING = "food text vehicle building furniture clothes plant"
INEDIBLE = "text vehicle building furniture clothes"
UNSUITED = {
    "essen": INEDIBLE,
    "backen": INEDIBLE,
    "kochen": INEDIBLE,
    "füttern": INEDIBLE,
    "pflanzen": INEDIBLE + " animal",
    "trinken": "solid subject",
    "lernen": "solid drink liquid",
    "unterrichten": "solid drink liquid",
    "lesen": "animal food vehicle building furniture clothes plant",
    "schreiben": "animal food vehicle building furniture clothes plant",
    "übersetzen": "animal food vehicle building furniture clothes plant",
    "unterschreiben": "animal food vehicle building furniture clothes plant",
    "bauen": "animal food text clothes plant",
    "reparieren": "animal food plant",
    "anziehen": "animal food text vehicle building furniture plant",
    "ausziehen": "animal food text vehicle building furniture plant",
    "einschalten": "animal food text clothes plant",
    "ausschalten": "animal food text clothes plant",
    "fragen": ANYTHING,
    "wecken": ANYTHING,
    "grüßen": ANYTHING,
    "danken": ANYTHING,
    "gratulieren": ANYTHING,
    "lecker": INEDIBLE,
    "müde": ANYTHING,
    "traurig": ANYTHING,
    "nervös": ANYTHING,
    "höflich": ANYTHING,
    "ehrlich": ANYTHING,
    "mutig": ANYTHING,
    "neugierig": ANYTHING,
    "schüchtern": ANYTHING,
    "fleißig": ANYTHING,
}
"""Verbs and adjectives with classes of nouns that they cannot have, by their meaning and not just in this corpus."""
NOT_CERTAIN = {"Schokolade", "Honig"}
"""What one may, at a pinch, drink."""


def with_entry(lexicon: Lexicon, noun: Noun, wrong: Noun) -> Lexicon:
    """A copy of the lexicon with the wrong noun in the place of a noun."""
    changed = copy(lexicon)
    changed.nouns = [wrong if entry is noun else entry for entry in lexicon.nouns]
    changed.nouns_by_classes, changed.adjectives_by_noun = {}, {}
    return changed


def derived_with(sentence: Derived, noun: Noun, wrong: Noun) -> list[Expression]:
    """Derive the sentence with the wrong noun; nothing if that led the derivation to other lexemes as well."""
    again = derive(sentence.seed, with_entry(sentence.lexicon, noun, wrong), sentence.construction)
    same = again.lexemes == (sentence.lexemes - {noun.german}) | {wrong.german}
    return [again.meaning] if same else []


def gender(sentence: Derived) -> list[Phrase]:
    """Give a German noun another gender: ``das Mann, das er gesehen hat``.

    No noun is made feminine, as its article could then be that of a plural; weak nouns and those of two genders stay.
    """
    random = Random(f"{sentence.seed} gender")
    nouns = [noun for noun in sentence.nouns if not noun.weak and noun.german not in OF_TWO_GENDERS]
    if not nouns or sentence.construction == "although":
        return []
    noun = random.choice(nouns)
    other = random.choice([gender for gender in "mn" if gender != noun.gender])
    return [meaning.german for meaning in derived_with(sentence, noun, replace(noun, gender=other))]


def classifier(sentence: Derived) -> list[Phrase]:
    """Give a Chinese noun a classifier that it cannot have: ``一朵书``."""
    random = Random(f"{sentence.seed} classifier")
    nouns = [noun for noun in sentence.nouns if noun.classifier != "-"]
    if not nouns:
        return []
    noun = random.choice(nouns)
    related = "".join(group for group in RELATED_CLASSIFIERS if noun.classifier in group)
    other = random.choice([classifier for classifier in CLASSIFIERS if classifier not in related])
    return [meaning.chinese for meaning in derived_with(sentence, noun, replace(noun, classifier=other))]


def governed(sentence: Derived) -> list[tuple[Verb | Adjective, Noun]]:
    """The verbs and predicates of the table that the sentence contains, each with the one noun it governs.

    A person is surely not the subject of a verb only where a name is, which is never an object.
    """
    predicate = sentence.construction in {"description", "past-feeling"}
    governors = sentence.lexicon.adjectives if predicate else sentence.verbs
    named = any(entry.kind.startswith("name") for entry in sentence.adverbials)
    pronouns = sentence.lexemes & {row[0] for row in PRONOUNS}
    person_is_object = named and not pronouns and sentence.construction != "object-relative"
    found: list[tuple[Verb | Adjective, Noun]] = []
    for governor in governors:
        classes = governor.objects if isinstance(governor, Verb) else governor.classes
        nouns = [noun for noun in sentence.nouns if noun.classes & classes and not noun.where]
        sure = predicate or person_is_object or "person" not in classes
        if governor.german in sentence.lexemes & UNSUITED.keys() and sure and len(nouns) == 1:
            found.append((governor, nouns[0]))
    return found


def unsuited(sentence: Derived, governor: Verb | Adjective, noun: Noun) -> list[Noun]:
    """The nouns that the governor of a noun cannot have in its place, with as many words and characters."""
    classes = frozenset(UNSUITED[governor.german].split())
    taken = governor.objects if isinstance(governor, Verb) else governor.classes
    return [
        other
        for other in sentence.lexicon.nouns_of(classes)
        if not other.classes & taken
        and not other.where
        and ("mass" in other.classes) == ("mass" in noun.classes)
        and len(other.chinese) == len(noun.chinese)
        and len(other.english.split()) == len(noun.english.split())
        and other.german not in NOT_CERTAIN | sentence.lexemes
    ]


def selection(sentence: Derived) -> list[Expression]:
    """Put a noun where its meaning does not allow it, in all three languages: ``Er hat den Mantel gegessen``.

    Several things that feel take a 们 in Chinese, which would be a second mistake.
    """
    random = Random(f"{sentence.seed} selection")
    pairs = [(noun, other) for governor, noun in governed(sentence) for other in unsuited(sentence, governor, noun)]
    if not pairs:
        return []
    noun, other = random.choice(pairs)
    meanings = derived_with(sentence, noun, replace(other, classes=noun.classes))
    return [meaning for meaning in meanings if f"{other.chinese}们" not in chinese_text(meaning.chinese)]
