"""Flaws of German sentences: agreement of the verb, case, word order."""

from functools import cache

import german
from flaws import TRANSITIVE, Derived, changed, front_end, moved, phrase_end, texts
from lexicon import Lexicon, Verb
from nominal import PRONOUNS
from phrase import Phrase

CONJUNCTIONS = ("weil", "dass", "wenn", "als", "obwohl")
PRONOUN_IN_OTHER_CASE = {
    "ich": "mir",
    "mich": "mir",
    "mir": "mich",
    "du": "dir",
    "dich": "dir",
    "dir": "dich",
    "er": "ihm",
    "ihn": "ihm",
    "ihm": "ihn",
}
DETERMINERS = {"d": "der", "dies": "dies"} | dict.fromkeys(("ein", "kein", "mein", "dein", "sein", "unser"), "ein")
PLURAL = ("en", "ern", "eln", "sind")
"""How the plural forms of verbs end."""


def for_another_subject(form: dict[str, str]) -> dict[str, str]:
    """Map each person's form to one of another person: the third singular to the plural, the others to it."""
    return {form[who]: form["er"] for who in ("ich", "du", "wir")} | {form["er"]: form["wir"]}


@cache
def helpers() -> dict[str, str]:
    """The finite forms of auxiliaries and their like, and a form each that agrees with another subject."""
    others = {"wurde": "wurden", "wurden": "wurde", "liegt": "liegen", "liegen": "liegt"}
    for forms in (german.SEIN, german.SEIN_PAST, german.HABEN, german.WERDEN):
        others |= for_another_subject(forms)
    for modal in german.MODALS:
        others |= for_another_subject({who: german.modal(modal, who) for who in german.SEIN})
    return others


def main_verb(verb: Verb) -> dict[str, str]:
    """The finite forms of a verb, and a form each that agrees with another subject."""
    others: dict[str, str] = {}
    for tense in [german.present] + [german.preterite] * (verb.german in german.PRETERITES):
        for prefix in ("", verb.prefix):
            others |= for_another_subject({who: prefix + tense(verb, who) for who in german.SEIN})
    return others


def may_be_subject(sentence: Derived, said: list[str], *, plural: bool) -> bool:
    """Whether a thing could be the subject, as in ``Die Frauen hat das Brot gegessen``: verb second, object first."""
    things = [noun for noun in sentence.nouns if noun.classes.isdisjoint(("person", "animal"))]
    transitive = any(verb.kind in TRANSITIVE for verb in sentence.verbs)
    return transitive and any((noun.german_plural if plural else noun.german) in said for noun in things)


def agreement(sentence: Derived) -> list[Phrase]:
    """Conjugate the finite verb for another subject: ``Der Mann lachen``.

    Left out is all where something else could be the subject of the other form, and ``sie``, which is she or they.
    """
    words = sentence.meaning.german
    said = texts(words)
    if sentence.construction in {"request", "what-question", "who-question"} or "sie" in said or sentence.living > 1:
        return []
    others = helpers()
    if not set(said) & others.keys():
        others = {form: other for verb in sentence.verbs for form, other in main_verb(verb).items()}
    return [
        changed(words, i, others[text])
        for i, text in enumerate(said)
        if text in others and not may_be_subject(sentence, said, plural=others[text].endswith(PLURAL))
    ]


@cache
def genders(lexicon: Lexicon) -> dict[str, str]:
    """The gender of each noun in the singular; weak nouns, whose own form shows the case, are left out."""
    return {noun.german: noun.gender for noun in lexicon.nouns if not noun.weak}


def article_in_other_case(article: str, gender: str) -> str:
    """Put an article into the dative, or from the dative into the accusative; ``""`` for any other word."""
    for stem, pattern in DETERMINERS.items():
        nominative, accusative, dative = (
            stem + german.ending(pattern, case, gender, plural=False) for case in german.CASES[:3]
        )
        if article in (nominative, accusative, dative):
            return accusative if article == dative else dative
    return ""


def case(sentence: Derived) -> list[Phrase]:
    """Decline a pronoun or an article for another case: ``Anna hat dem Wolf gesehen``.

    After in, an and auf two cases have a meaning, and a relative pronoun shows by its case who acts. An adjective may
    follow the article where its ending is -en in both cases.
    """
    words = sentence.meaning.german
    said = texts(words)
    known = genders(sentence.lexicon)
    wrong: list[Phrase] = []
    for i, text in enumerate(said):
        other = PRONOUN_IN_OTHER_CASE.get(text, "")
        if i and said[i - 1] in ("in", "an", "auf", ","):
            continue
        if said[i + 1 : i + 2] and said[i + 1] in known:
            other = article_in_other_case(text, known[said[i + 1]])
        elif text.endswith(("en", "em")) and said[i + 1].endswith("en") and known.get(said[i + 2]) == "m":
            other = article_in_other_case(text, "m")
        wrong += [changed(words, i, other)] if other else []
    return wrong


@cache
def heads(lexicon: Lexicon) -> frozenset[str]:
    """The words that end a subject."""
    nouns = {form for noun in lexicon.nouns for form in (noun.german, noun.german_plural)}
    names = {entry.german for entry in lexicon.adverbials if entry.kind.startswith("name")}
    return frozenset(nouns | names | {row[0] for row in PRONOUNS})


def order(sentence: Derived) -> list[Phrase]:
    """Put a verb in a wrong place.

    The finite verb third in a main clause (``Gestern der Mann hat gelacht``) or second in a subordinate clause
    (``weil der Mann hat gelacht``), or the last part of the verb before its object (``Er hat gesehen den Mann``). What
    says when may follow the verb of a subordinate clause, so one with wenn stays as it is.
    """
    words = sentence.meaning.german
    said = texts(words)
    known = heads(sentence.lexicon)
    wrong: list[Phrase] = []
    front = front_end(sentence, words, lambda entry: entry.german)
    subject_end = phrase_end(words, front, known)
    if front and subject_end < len(words) - 1:
        wrong.append(moved(words, front, front + 1, subject_end))
    for i, text in enumerate(said):
        if text in CONJUNCTIONS and sentence.construction not in {"comparison", "if"}:
            end = next(k for k in range(i, len(words)) if said[k] in (",", "."))
            wrong.append(moved(words, end - 1, end, phrase_end(words, i + 1, known)))
    simple = said[-1] == "." and "," not in said and sentence.construction not in {"passive", "liking"}
    last = {part for verb in sentence.verbs for part in (verb.participle, verb.german, verb.prefix) if part}
    if simple and said[-2] in last and any(verb.kind in TRANSITIVE for verb in sentence.verbs):
        finite = front or subject_end
        wrong.append(moved(words, len(words) - 2, len(words) - 1, finite + 1))
    return wrong
