"""Clauses: one meaning put into the word order of a German, English or Chinese clause.

German brackets the clause: the finite verb stands second (or first in a question) and the rest of the verb last; in a
subordinate clause the whole verb stands last. English keeps subject, verb, object. Chinese puts time, manner and place
before the verb.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import english
import german
from lexicon import Adverbial, Noun, Verb
from nominal import Derivation, Nominal
from phrase import Phrase, hanzi, join, say


class Expression(NamedTuple):
    """One meaning in three languages."""

    german: Phrase = ()
    english: Phrase = ()
    chinese: Phrase = ()


NOTHING = Expression()


@dataclass(frozen=True)
class Verbal:
    """A verb with its helpers, in the pieces that word order moves about.

    German: ``finite`` and ``closing`` bracket a main clause, ``cluster`` ends a subordinate one. English: the
    ``auxiliary`` changes places with the subject in a question. Chinese: ``before`` holds negation and aspect.
    """

    finite: Phrase
    closing: Phrase
    cluster: Phrase
    auxiliary: Phrase
    verb: Phrase
    before: Phrase
    chinese: Phrase
    after: Phrase
    tail: Phrase
    adverb: Expression
    key: int


@dataclass(frozen=True)
class Clause:
    """The parts of a clause; ``light`` holds the German pronoun objects, which stand before everything else."""

    subject: Nominal
    verbal: Verbal
    objects: Expression = NOTHING
    light: Phrase = ()
    negation: Expression = NOTHING
    time: Expression = NOTHING
    frequency: Expression = NOTHING
    company: Expression = NOTHING
    manner: Expression = NOTHING
    place: Expression = NOTHING
    time_first: bool = False


def verbal(
    d: Derivation, verb: Verb, who: str, tense: str, *, supported: bool = False, key: int | None = None
) -> Verbal:
    """Conjugate: ``tense`` is present, progressive, past, perfect, future or a German modal verb.

    ``supported`` asks for the English auxiliary of questions and negations.
    """
    key = d.key() if key is None else key
    helper = d.key()
    finite, closing, cluster = german_verb(verb, who, tense, key, helper)
    auxiliary, main = english_verb(d, verb, who, tense, supported, key, helper)
    before = chinese_aspect(d, tense, helper)
    after = "了" if tense in {"past", "perfect"} else ""
    adverb = NOTHING
    if tense == "progressive":
        adverb = Expression(german=say("gerade", helper))
    if tense == "perfect":
        already = d.key()
        adverb = Expression(say("schon", already), say("already", already), hanzi("已经", already))
    chinese, tail = hanzi(verb.chinese, key), hanzi(verb.tail, key)
    return Verbal(
        finite, closing, cluster, auxiliary, main, before, chinese, hanzi(after, possibly=(key,)), tail, adverb, key
    )


def german_verb(verb: Verb, who: str, tense: str, key: int, helper: int) -> tuple[Phrase, Phrase, Phrase]:
    """The finite verb, the right bracket of a main clause, and both as they end a subordinate clause."""
    if tense in {"present", "progressive"}:
        form = german.present(verb, who)
        return say(form, key), say(verb.prefix, key), say(verb.prefix + form, key)
    if tense in {"past", "perfect"}:
        sure = (helper,) if tense == "perfect" else ()
        finite = say(german.auxiliary(verb, who), *sure, possibly=(key,))
        closing = say(verb.participle, key)
    else:
        form = german.WERDEN[who] if tense == "future" else german.modal(tense, who)
        finite, closing = say(form, helper), say(verb.german, key)
    return finite, closing, join(closing, finite)


def english_verb(
    d: Derivation, verb: Verb, who: str, tense: str, supported: bool, key: int, helper: int
) -> tuple[Phrase, Phrase]:
    """The auxiliary, empty where English has none, and the main verb."""
    base = say(verb.english, key)
    if tense == "present":
        if supported:
            return say(english.do(who), possibly=(key,)), base
        return (), say(english.present(verb.english, who), key)
    if tense == "past":
        return (say("did", possibly=(key,)), base) if supported else ((), say(verb.past, key))
    if tense == "progressive":
        return say(english.BE[who], possibly=(key, helper)), say(english.gerund(verb.english), key)
    if tense == "perfect":
        return say(english.have(who), helper), say(verb.english_participle, key)
    if tense == "future":
        return say("will", helper), base
    modal = modal_entry(d, tense)
    if modal != "want to":
        return say(modal, helper), base
    if supported:
        return say(english.do(who), possibly=(helper,)), join(say("want to", helper), base)
    return (), join(say(english.third_person("want to") if who == "er" else "want to", helper), base)


def modal_entry(d: Derivation, infinitive: str, language: str = "english") -> str:
    """Look a modal verb up in the lexicon."""
    entry = next(entry for entry in d.lexicon.by_kind["modal"] if entry.german == infinitive)
    return entry.english if language == "english" else entry.chinese


def chinese_aspect(d: Derivation, tense: str, helper: int) -> Phrase:
    """What stands before a Chinese verb for tense, aspect or modality."""
    if tense in {"present", "past", "perfect"}:
        return ()
    fixed = {"progressive": "正在", "future": "会"}
    return hanzi(fixed[tense] if tense in fixed else modal_entry(d, tense, "chinese"), helper)


def negated(d: Derivation, clause: Clause, tense: str, *, with_kein: Phrase = ()) -> Clause:
    """Deny a clause: nicht, not, 不 or 没有; ``with_kein`` is the German object that says so instead of nicht."""
    key = d.key()
    word = "没有" if tense == "past" else "不"
    verb = clause.verbal
    denied = replace(verb, before=join(hanzi(word, key), verb.before), after=())
    negation = Expression(() if with_kein else say("nicht", key), say("not", key))
    objects = clause.objects
    if with_kein:
        first = with_kein[0]
        marked = first._replace(surely=(*first.surely, key))
        objects = objects._replace(german=(marked, *with_kein[1:]))
    return replace(clause, verbal=denied, negation=negation, objects=objects)


def german_middle(c: Clause) -> Phrase:
    """Everything between the brackets after the subject: pronouns, time, objects, negation, manner, place."""
    time = () if c.time_first else c.time.german
    return join(
        c.light,
        time,
        c.verbal.adverb.german,
        c.frequency.german,
        c.objects.german,
        c.negation.german,
        c.company.german,
        c.manner.german,
        c.place.german,
    )


def german_main(c: Clause, front: Phrase = ()) -> Phrase:
    """A main clause, verb second; anything in ``front`` sends the subject behind the verb."""
    front = front or (c.time.german if c.time_first else ())
    subject = c.subject.german["nominative"]
    start = join(front, c.verbal.finite, subject) if front else join(subject, c.verbal.finite)
    return join(start, german_middle(c), c.verbal.closing)


def german_question(c: Clause) -> Phrase:
    """A question for yes or no, verb first."""
    return join(c.verbal.finite, c.subject.german["nominative"], german_middle(c), c.verbal.closing)


def german_subordinate(c: Clause) -> Phrase:
    """A subordinate clause, verb last."""
    return join(c.subject.german["nominative"], german_middle(c), c.verbal.cluster)


def english_rest(c: Clause) -> Phrase:
    """The English clause after the auxiliary."""
    time = () if c.time_first else c.time.english
    return join(
        c.negation.english,
        c.verbal.adverb.english,
        c.frequency.english,
        c.verbal.verb,
        c.objects.english,
        c.company.english,
        c.manner.english,
        c.place.english,
        time,
    )


def english_main(c: Clause) -> Phrase:
    """A statement."""
    front = c.time.english if c.time_first else ()
    return join(front, c.subject.english, c.verbal.auxiliary, english_rest(c))


def english_question(c: Clause, front: Phrase = ()) -> Phrase:
    """A question: auxiliary before the subject."""
    return join(front, c.verbal.auxiliary, c.subject.english, english_rest(c))


def chinese_main(c: Clause) -> Phrase:
    """The one Chinese word order: time, subject or subject, time, then manner and place, verb, object."""
    verb = c.verbal
    if c.objects.chinese:
        ending = join(verb.chinese, verb.after, c.objects.chinese)
    else:
        ending = join(verb.chinese, verb.tail, verb.after)
    start = join(c.time.chinese, c.subject.chinese) if c.time_first else join(c.subject.chinese, c.time.chinese)
    before = verb.before
    if before and c.place.chinese and before[-1].text == c.place.chinese[0].text == "在":
        before = before[:-1]
    adverbs = join(verb.adverb.chinese, c.frequency.chinese, before, c.company.chinese)
    return join(start, adverbs, c.place.chinese, c.manner.chinese, ending)


def adverbial(d: Derivation, entries: Sequence[Adverbial]) -> Expression:
    """Choose a fixed adverbial; its words all correspond to each other."""
    entry = d.pick(entries)
    key = d.key()
    return Expression(say(entry.german, key), say(entry.english, key), hanzi(entry.chinese, key))


def prepositional(preposition: str, article: str, keys: tuple[int, int]) -> Phrase:
    """Contract a preposition and an article where German does: ``in dem`` -> ``im``."""
    relation, det = keys
    if (preposition, article) in german.CONTRACTIONS:
        return say(german.CONTRACTIONS[preposition, article], relation, det)
    return join(say(preposition, relation), say(article, det))


def location(d: Derivation, noun: Noun) -> Expression:
    """Where something is: ``im Park``, in the park, 在公园里."""
    relation, det, thing = d.key(), d.key(), d.key()
    where = noun.where
    assert where is not None
    article = german.article("dative", noun.gender, plural=False)
    return Expression(
        join(prepositional(where.german_at, article, (relation, det)), say(noun.german, thing)),
        join(say(where.english_at, relation), say("the", det), say(noun.english, thing)),
        join(hanzi("在", relation), hanzi(noun.chinese, thing), hanzi(where.localizer, relation)),
    )


def goal(d: Derivation, noun: Noun) -> Expression:
    """Where someone goes: ``in den Park``, to the park, 公园; German has the accusative, or zu with the dative."""
    relation, det, thing = d.key(), d.key(), d.key()
    where = noun.where
    assert where is not None
    case = "dative" if where.german_to == "zu" else "accusative"
    article = german.article(case, noun.gender, plural=False)
    return Expression(
        join(prepositional(where.german_to, article, (relation, det)), say(noun.german, thing)),
        join(say("to", relation), say("the", det), say(noun.english, thing)),
        hanzi(noun.chinese, thing),
    )


def surface(d: Derivation, noun: Noun) -> Expression:
    """Where someone puts something: ``auf den Tisch``, on the table, 在桌子上."""
    place = location(d, noun)
    where = noun.where
    assert where is not None
    article = german.article("accusative", noun.gender, plural=False)
    relation, det = place.english[0].surely[0], place.english[1].surely[0]
    words = join(prepositional(where.german_at, article, (relation, det)), place.german[-1:])
    return place._replace(german=words)
