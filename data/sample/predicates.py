"""Sentences about what is and what is had: descriptions, comparisons, existence, possession, liking, the passive."""

from dataclasses import replace

import english
import german
from clause import (
    NOTHING,
    Clause,
    Expression,
    adverbial,
    location,
    prepositional,
    verbal,
)
from lexicon import Adjective, Noun, Verb
from nominal import (
    THE,
    THIS,
    A,
    Derivation,
    Nominal,
    counted,
    mass,
    noun_phrase,
    owned_by,
    subject,
)
from phrase import hanzi, join, say
from statements import SUBSTANCES, direct_object, sentence, statement, timed, with_object

DESCRIBED = ("person", "animal", "text", "vehicle", "building", "furniture", "clothes", "small", "food", "machine")
FEELINGS = ("traurig", "glücklich", "nervös", "müde", "hungrig")


def described_noun(d: Derivation, noun: Noun) -> Nominal:
    """A definite noun phrase without an adjective of its own."""
    if "person" not in noun.classes and d.chance(0.15):
        return owned_by(d, noun)
    determiner = THIS if d.chance(0.25) else THE
    living = bool(noun.classes & {"person", "animal"})
    return noun_phrase(d, noun, determiner, plural=d.chance(0.25), bare=determiner is THE and living)


def copula(
    d: Derivation, who: Nominal, adjective: Adjective, *, past: bool = False, degree: bool = True, denied: bool = False
) -> Clause:
    """``ist sehr müde``, is very tired, 非常累; without a degree Chinese says 很, in a denial 不."""
    key, quality, how = d.key(), d.key(), d.key()
    finite = say((german.SEIN_PAST if past else german.SEIN)[who.who], key)
    be = say((english.BE_PAST if past else english.BE)[who.who], key)
    before = Expression(chinese=hanzi("很", possibly=(quality,)))
    if denied:
        before = Expression(say("nicht", how), say("not", how), hanzi("不", how))
    elif degree and d.chance(0.5):
        before = adverbial(d, d.lexicon.by_kind["degree"])
    v = verbal(d, d.lexicon.verbs[0], who.who, "present")
    predicate = replace(
        v,
        finite=finite,
        closing=join(before.german, say(adjective.german, quality)),
        cluster=join(before.german, say(adjective.german, quality), finite),
        auxiliary=join(be, before.english),
        verb=say(adjective.english, quality),
        before=before.chinese,
        chinese=hanzi(adjective.chinese, quality),
    )
    return Clause(who, predicate)


def description(d: Derivation) -> Expression:
    """Das Haus ist sehr groß."""
    noun = d.noun(*DESCRIBED)
    fitting = d.lexicon.adjectives_for(noun, attribute=False)
    return statement(d, copula(d, described_noun(d, noun), d.pick(fitting), denied=d.chance(0.2)))


def feeling(d: Derivation, who: Nominal, feelings: tuple[str, ...] = FEELINGS, *, past: bool) -> Clause:
    """Someone is (was) sad, happy, tired, nervous or hungry."""
    choice = d.pick([adjective for adjective in d.lexicon.adjectives if adjective.german in feelings])
    return copula(d, who, choice, past=past, degree=False)


def past_feeling(d: Derivation) -> Expression:
    """Gestern war der Lehrer müde."""
    return statement(d, timed(d, feeling(d, subject(d), past=True), "past", day=True))


def comparison(d: Derivation) -> Expression:
    """Der Hund ist größer als die Katze."""
    kind = d.random.choice(DESCRIBED)
    one, other = d.noun(kind), d.noun(kind)
    fitting = [
        adjective
        for adjective in d.lexicon.adjectives_for(one, attribute=False)
        if adjective.comparative and adjective in d.lexicon.adjectives_for(other, attribute=False)
    ]
    adjective = d.pick(fitting)
    left, right = described_noun(d, one), described_noun(d, other)
    be, quality, than = d.key(), d.key(), d.key()
    return sentence(
        d,
        join(
            left.german["nominative"],
            say(german.SEIN[left.who], be),
            say(adjective.comparative, quality),
            say("als", than),
            right.german["nominative"],
        ),
        join(
            left.english,
            say(english.BE[left.who], be),
            say(adjective.english_comparative, quality),
            say("than", than),
            right.english,
        ),
        join(left.chinese, hanzi("比", than), right.chinese, hanzi(adjective.chinese, quality)),
    )


def existence(d: Derivation) -> Expression:
    """Auf dem Tisch liegen drei Bücher."""
    pool = d.lexicon.nouns_of(frozenset({"small"}))
    noun = d.pick([noun for noun in pool if not noun.classes & {"break", "container"}])
    place = location(d, d.noun("surface", "container"))
    item = counted(d, noun) if d.chance(0.6) else noun_phrase(d, noun, A)
    key = d.key()
    plural = item.who == "wir"
    return sentence(
        d,
        join(place.german, say("liegen" if plural else "liegt", key), item.german["nominative"]),
        join(say("there are" if plural else "there is", key), item.english, place.english),
        join(place.chinese[1:], hanzi("有", key), item.chinese),
    )


def state(d: Derivation) -> Expression:
    """Der Lehrer kennt den Arzt."""
    verb, who = d.verb("state"), subject(d)
    item = direct_object(d, verb, who, definite=True)
    return statement(d, with_object(Clause(who, verbal(d, verb, who.who, "present")), item))


def having(d: Derivation) -> Expression:
    """Mein Bruder hat zwei Hunde."""
    verb, who = d.verb("having"), subject(d)
    noun = d.pick([noun for noun in d.lexicon.nouns_of(frozenset({"goods", "pet"})) if "food" not in noun.classes])
    item = counted(d, noun) if d.chance(0.5) else noun_phrase(d, noun, A, adjective=None)
    return statement(d, with_object(Clause(who, verbal(d, verb, who.who, "present")), item))


def bare_plural(d: Derivation, noun: Noun) -> Nominal:
    """Things in general: ``Bücher``, books, 书."""
    if "mass" in noun.classes:
        return mass(d, noun)
    key = d.key()
    cases = {case: say(german.noun_form(noun, case, plural=True), key) for case in german.CASES}
    words = say(noun.english_plural, key)
    return Nominal(cases, words, words, hanzi(noun.chinese, key), "wir", key, noun=noun)


def liking(d: Derivation) -> Expression:
    """Das Mädchen liest gern Romane."""
    kinds = d.lexicon.verbs_by_kind
    suited = [verb for verb in kinds["object"] if not verb.objects & {"person", "paper", "prepare"}]
    verb = d.pick([*suited, *kinds["activity"]])
    who = subject(d)
    item = bare_plural(d, d.noun(*sorted(verb.objects))) if verb.kind == "object" else None
    key = d.key()
    v = verbal(d, verb, who.who, "present")
    likes = say(english.present("like", who.who), key)
    infinitive = join(likes, say("to", possibly=(key,)), say(verb.english, v.key))
    v = replace(v, verb=infinitive, before=hanzi("喜欢", key), adverb=Expression(german=say("gern", key)))
    return statement(d, with_object(Clause(who, v), item))


def counted_objects(verb: Verb) -> list[str]:
    """The classes of countable things a verb takes; none for a verb done to people."""
    return [] if "person" in verb.objects else sorted(verb.objects - SUBSTANCES)


def passive(d: Derivation) -> Expression:
    """Das Haus wurde letztes Jahr vom Arzt verkauft."""
    kinds = d.lexicon.verbs_by_kind
    verb = d.pick([verb for verb in kinds["object"] + kinds["glance"] if counted_objects(verb)])
    noun = d.noun(*counted_objects(verb))
    return passive_sentence(d, verb, noun)


def passive_sentence(d: Derivation, verb: Verb, noun: Noun) -> Expression:
    """Put a verb, what it is done to and who does it into the passive; Chinese frames the doer with 是 … 的."""
    determiner = THIS if d.chance(0.25) else THE
    item = noun_phrase(d, noun, determiner, plural=d.chance(0.2))
    agent = noun_phrase(d, d.noun("person"), THE, bare=True)
    by, key = d.key(), d.key()
    time = adverbial(d, d.lexicon.by_kind["past"]) if d.chance(0.5) else NOTHING
    article, *rest = agent.german["dative"]
    german_agent = join(prepositional("von", article.text, (by, article.surely[0])), tuple(rest))
    finite = say("wurden" if item.who == "wir" else "wurde", possibly=(key,))
    return sentence(
        d,
        join(item.german["nominative"], finite, time.german, german_agent, say(verb.participle, key)),
        join(
            item.english,
            say(english.BE_PAST[item.who], possibly=(key,)),
            say(verb.english_participle, key),
            say("by", by),
            agent.english,
            time.english,
        ),
        join(
            item.chinese,
            hanzi("是", possibly=(key,)),
            agent.chinese,
            time.chinese,
            hanzi(verb.chinese, key),
            hanzi("的", possibly=(key,)),
        ),
    )
