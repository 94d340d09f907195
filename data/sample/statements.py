"""Simple sentences: statements, negations, questions and requests, each one synchronous rule."""

from dataclasses import replace

from clause import (
    Clause,
    Expression,
    adverbial,
    chinese_main,
    english_main,
    german_main,
    location,
    verbal,
)
from lexicon import Verb
from nominal import (
    PRONOUNS,
    THE,
    THIS,
    Derivation,
    Nominal,
    noun_phrase,
    pronoun,
    subject,
    thing,
)
from phrase import Phrase, hanzi, join, say

STOP = "."
SUBSTANCES = {"solid", "liquid", "drink", "boil", "subject"}
LONG = ("Woche", "Monat", "Jahr")
QUESTION = "?"


def sentence(
    d: Derivation, german_words: Phrase, english_words: Phrase, chinese_words: Phrase, mark: str = STOP
) -> Expression:
    """Close a sentence with its punctuation mark, full-width in Chinese."""
    key = d.key()
    full = {".": "。", "?": "？", "!": "！"}[mark]
    return Expression(
        join(german_words, say(mark, key)), join(english_words, say(mark, key)), join(chinese_words, hanzi(full, key))
    )


def statement(d: Derivation, c: Clause) -> Expression:
    """A clause as a statement."""
    return sentence(d, german_main(c), english_main(c), chinese_main(c))


def direct_object(
    d: Derivation, verb: Verb, who: Nominal, *, definite: bool = False, counted: bool = False
) -> Nominal | None:
    """Choose an object that suits the verb; people are known people."""
    if not verb.objects - {"-"}:
        return None
    noun = d.noun(*sorted(verb.objects - SUBSTANCES if counted else verb.objects))
    if "person" not in noun.classes:
        return thing(d, noun, definite=definite)
    if d.chance(0.25):
        rows = [row for row in PRONOUNS if (row[1] or verb.kind == "dative") and row[6] != who.who]
        return pronoun(d, d.random.choice(rows))
    d.lexemes.add(noun.german)
    determiner = THIS if d.chance(0.2) else THE
    return noun_phrase(d, noun, determiner, plural=d.chance(0.2), bare=False)


def with_object(c: Clause, item: Nominal | None, case: str = "accusative") -> Clause:
    """Give a clause its object; a German pronoun goes to the front of the middle field."""
    if item is None:
        return c
    if item.light:
        return replace(c, light=item.german[case], objects=Expression((), item.english_object, item.chinese))
    return replace(c, objects=Expression(item.german[case], item.english_object, item.chinese))


def action(
    d: Derivation,
    tense: str,
    kinds: str,
    *,
    supported: bool = False,
    definite: bool = False,
    counted: bool = False,
    who: Nominal | None = None,
) -> Clause:
    """Someone does something: choose verb, subject (unless ``who`` is given) and object, and conjugate.

    ``definite`` objects are known ones, ``counted`` ones no substances.
    """
    pool = [verb for kind in kinds.split() for verb in d.lexicon.verbs_by_kind[kind]]
    verb = d.pick([verb for verb in pool if verb.objects - SUBSTANCES] if counted else pool)
    who = who or subject(d)
    item = direct_object(d, verb, who, definite=definite, counted=counted)
    c = Clause(who, verbal(d, verb, who.who, tense, supported=supported))
    return with_object(c, item, "dative" if verb.kind == "dative" else "accusative")


def timed(d: Derivation, c: Clause, kind: str, *, first: float = 0.35, day: bool = False) -> Clause:
    """Say when, in front of the sentence in a share of all cases; ``day`` leaves out weeks, months and years."""
    entries = [entry for entry in d.lexicon.by_kind[kind] if not (day and entry.german.endswith(LONG))]
    return replace(c, time=adverbial(d, entries), time_first=d.chance(first))


def somewhere(d: Derivation, c: Clause, share: float = 1.0) -> Clause:
    """Say where, in a share of all cases."""
    return replace(c, place=location(d, d.noun("place"))) if d.chance(share) else c


def past_action(d: Derivation) -> Expression:
    """Der Junge hat gestern das Fenster aufgemacht."""
    return statement(d, timed(d, action(d, "past", "object dative glance mishap"), "past"))


def ongoing_action(d: Derivation) -> Expression:
    """Das Mädchen liest gerade einen Roman."""
    c = action(d, "progressive", "object dative activity")
    return statement(d, c if c.objects.english else somewhere(d, c, 0.6))


def habit(d: Derivation) -> Expression:
    """Der Lehrer besucht jeden Tag den Nachbarn; oft, immer, manchmal, selten."""
    c = action(d, "present", "object dative activity", definite=True)
    c = c if c.objects.english else somewhere(d, c, 0.6)
    if d.chance(0.5):
        return statement(d, replace(c, frequency=adverbial(d, d.lexicon.by_kind["frequency"])))
    return statement(d, timed(d, c, "habit"))


def future_action(d: Derivation) -> Expression:
    """Morgen wird der Arzt das Auto verkaufen."""
    return statement(d, timed(d, action(d, "future", "object dative glance"), "future"))


def finished_action(d: Derivation) -> Expression:
    """Anna hat den Brief schon geschrieben."""
    return statement(d, action(d, "perfect", "object dative glance mishap"))


def modal_action(d: Derivation) -> Expression:
    """Der Koch muss die Suppe kochen."""
    return statement(d, action(d, d.adverbial("modal").german, "object dative glance activity"))


def manner_of_action(d: Derivation) -> Expression:
    """Der Vater hat das Fenster leise zugemacht."""
    c = action(d, "past", "object glance", definite=True, counted=True)
    return statement(d, replace(c, manner=adverbial(d, d.lexicon.by_kind["manner"])))
