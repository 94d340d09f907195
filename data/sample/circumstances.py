"""Sentences about where, whither, when, how long and to whom: each one synchronous rule."""

from dataclasses import replace

import english
import german
from clause import (
    Clause,
    Expression,
    adverbial,
    goal,
    surface,
    verbal,
)
from nominal import (
    PRONOUNS,
    THE,
    Derivation,
    noun_phrase,
    pronoun,
    subject,
    thing,
)
from phrase import hanzi, join, say
from statements import somewhere, statement, timed


def time_manner_place(d: Derivation) -> Expression:
    """Die Kinder haben gestern allein im Park gespielt."""
    tense, time = d.random.choice((("past", "past"), ("future", "future"), ("present", "habit")))
    verb, who = d.verb("activity"), subject(d)
    c = somewhere(d, timed(d, Clause(who, verbal(d, verb, who.who, tense)), time))
    if verb.german in {"weinen", "schlafen", "warten"} or d.chance(0.4):
        return statement(d, c)
    return statement(d, replace(c, company=adverbial(d, d.lexicon.by_kind["company"])))


def journey(d: Derivation) -> Expression:
    """Maria fährt morgen mit dem Zug nach Berlin."""
    tense, time = d.random.choice((("past", "past"), ("future", "future"), ("present", "habit")))
    who = subject(d)
    by_vehicle = d.chance(0.6)
    verb = d.verb("travel" if by_vehicle else "motion")
    target = city_goal(d) if by_vehicle else goal(d, d.noun("place"))
    c = timed(d, Clause(who, verbal(d, verb, who.who, tense)), time)
    c = replace(c, objects=Expression((), target.english, target.chinese), place=Expression(target.german))
    return statement(d, replace(c, company=vehicle(d)) if by_vehicle else c)


VEHICLES = {"Zug": "坐", "Bus": "坐", "Taxi": "坐", "Schiff": "坐", "Auto": "开", "Fahrrad": "骑", "Motorrad": "骑"}


def vehicle(d: Derivation) -> Expression:
    """How one travels: ``mit dem Zug``, by train, 坐火车."""
    noun = d.pick([noun for noun in d.lexicon.nouns if noun.german in VEHICLES])
    means, item = d.key(), d.key()
    article = german.article("dative", noun.gender, plural=False)
    return Expression(
        join(say("mit", means), say(article, possibly=(item,)), say(noun.german, item)),
        join(say("by", means), say(noun.english, item)),
        join(hanzi(VEHICLES[noun.german], means), hanzi(noun.chinese, item)),
    )


def city(d: Derivation, german_preposition: str, english_preposition: str, chinese_preposition: str) -> Expression:
    """A city with its preposition."""
    entry = d.adverbial("city")
    relation, key = d.key(), d.key()
    return Expression(
        join(say(german_preposition, relation), say(entry.german, key)),
        join(say(english_preposition, relation), say(entry.english, key)),
        join(hanzi(chinese_preposition, relation), hanzi(entry.chinese, key)),
    )


def city_goal(d: Derivation) -> Expression:
    """``nach Wien``, to Vienna, 维也纳."""
    return city(d, "nach", "to", "")


def gift(d: Derivation) -> Expression:
    """Der Vater hat dem Kind einen Apfel gegeben."""
    verb = d.verb("gift")
    who, receiver = subject(d), None
    item = thing(d, d.noun("given"), owned=False)
    if d.chance(0.3):
        receiver = pronoun(d, d.random.choice([row for row in PRONOUNS if row[6] != who.who]))
    else:
        receiver = noun_phrase(d, d.noun("person"), THE, plural=d.chance(0.2), bare=True)
    dative = receiver.german["dative"]
    to = say("to", possibly=(dative[0].surely[0],))
    words = join(item.english_object, to, receiver.english_object)
    c = Clause(
        who,
        verbal(d, verb, who.who, "past"),
        light=dative if receiver.light else (),
        objects=Expression(
            join(() if receiver.light else dative, item.german["accusative"]),
            words,
            join(receiver.chinese, item.chinese),
        ),
    )
    return statement(d, timed(d, c, "past") if d.chance(0.4) else c)


def placing(d: Derivation) -> Expression:
    """Der Junge hat das Buch auf den Tisch gelegt."""
    flat = [noun for noun in d.lexicon.nouns_of(frozenset({"small"})) if not noun.classes & {"break", "container"}]
    who, verb = subject(d), d.verb("placing")
    item = thing(d, d.pick(flat), definite=True)
    place = surface(d, d.noun("surface", "container"))
    v = verbal(d, verb, who.who, "past")
    c = Clause(
        who,
        replace(v, after=()),
        objects=Expression(
            item.german["accusative"], join(item.english_object, place.english), join(place.chinese, v.after)
        ),
        company=Expression(chinese=join(hanzi("把"), item.chinese)),
        place=Expression(place.german),
    )
    return statement(d, c)


def clock(d: Derivation) -> Expression:
    """``um sieben Uhr``, at seven o'clock, 七点."""
    number = d.adverbial("number")
    at, hour, unit = d.key(), d.key(), d.key()
    return Expression(
        join(say("um", at), say(number.german, hour), say("Uhr", unit)),
        join(say("at", at), say(number.english, hour), say("o'clock", unit)),
        join(hanzi(number.chinese, hour), hanzi("点", unit)),
    )


def moment(d: Derivation) -> Expression:
    """Der Bäcker steht jeden Morgen um vier Uhr auf."""
    tense, time = d.random.choice((("past", "past"), ("future", "future"), ("present", "habit")))
    who = subject(d)
    c = timed(d, Clause(who, verbal(d, d.verb("moment"), who.who, tense)), time, day=True)
    hour = clock(d)
    when = Expression((), (), hour.chinese)
    return statement(d, replace(c, company=Expression(hour.german, hour.english), frequency=when))


UNITS = (
    ("Stunden", "hours", "小时", "个", "short"),
    ("Wochen", "weeks", "星期", "个", "long"),
    ("Monate", "months", "月", "个", "long"),
    ("Jahre", "years", "年", "", "long"),
)


def span(d: Derivation, kind: str) -> Expression:
    """A length of time: ``drei Stunden``, three hours, 三个小时."""
    number = d.adverbial("number")
    plural, english_plural, chinese, classifier, _ = d.random.choice([row for row in UNITS if row[4] == kind])
    count, unit = d.key(), d.key()
    return Expression(
        join(say(number.german, count), say(plural, unit)),
        join(say(number.english, count), say(english_plural, unit)),
        join(hanzi(number.chinese, count), hanzi(classifier, possibly=(count, unit)), hanzi(chinese, unit)),
    )


def duration(d: Derivation) -> Expression:
    """Das Kind hat gestern acht Stunden geschlafen."""
    who = subject(d)
    v = verbal(d, d.verb("activity"), who.who, "past")
    length = span(d, "short")
    c = timed(d, Clause(who, v), "past", day=True)
    particle = hanzi("的", possibly=(v.key,)) if v.tail else ()
    words = join(say("for", possibly=(length.english[0].surely[0],)), length.english)
    return statement(d, replace(c, objects=Expression(length.german, words, join(length.chinese, particle, v.tail))))


def since(d: Derivation) -> Expression:
    """Der Arzt wohnt seit drei Jahren in Berlin."""
    who = subject(d)
    verb = d.pick([verb for verb in d.lexicon.verbs if verb.german in {"wohnen", "arbeiten"}])
    length = span(d, "long")
    key, relation = d.key(), d.key()
    has = say(english.have(who.who), possibly=(key,))
    v = replace(verbal(d, verb, who.who, "present", key=key), auxiliary=has, verb=say(verb.english_participle, key))
    place = city(d, "in", "in", "在")
    unit = length.german[1]
    dative = unit._replace(text=unit.text if unit.text.endswith("n") else unit.text + "n")
    c = Clause(
        who,
        replace(v, after=hanzi("了", possibly=(key,))),
        objects=Expression((), place.english, join(length.chinese, hanzi("了", possibly=(key,)))),
        company=Expression(
            join(say("seit", relation), length.german[:1], (dative,)), join(say("for", relation), length.english)
        ),
        place=Expression(place.german, (), place.chinese),
    )
    return statement(d, c)
