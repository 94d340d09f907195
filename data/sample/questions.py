"""Denials, questions and requests."""

from dataclasses import replace

import german
from clause import (
    NOTHING,
    Clause,
    Expression,
    chinese_main,
    english_main,
    english_question,
    german_main,
    german_question,
    negated,
    verbal,
)
from lexicon import Verb
from nominal import NO, Derivation, Nominal, mass, noun_phrase, subject
from phrase import Phrase, hanzi, join, say
from predicates import counted_objects
from statements import SUBSTANCES, action, direct_object, sentence, statement, timed, with_object

DENIABLE = ("können", "wollen", "dürfen", "sollen")


def denial(d: Derivation) -> Expression:
    """Der Lehrer hat das Fenster nicht zugemacht."""
    tense = d.random.choice(("past", "past", "past", "future", "modal"))
    if tense == "modal":
        tense = d.random.choice(DENIABLE)
        d.lexemes.add(tense)
    c = action(d, tense, "object dative glance", supported=True, definite=True, counted=True)
    if tense in {"past", "future"}:
        c = timed(d, c, tense)
    return statement(d, negated(d, c, tense))


def nothing_of_the_kind(d: Derivation) -> Expression:
    """Der Junge hat keinen Apfel gegessen."""
    kinds = d.lexicon.verbs_by_kind
    verb = d.pick([verb for verb in kinds["object"] + kinds["glance"] if "person" not in verb.objects])
    who = subject(d)
    noun = d.noun(*sorted(verb.objects))
    item = no_substance(d, mass(d, noun), noun.gender) if "mass" in noun.classes else noun_phrase(d, noun, NO)
    tense, time = d.random.choice((("past", "past"), ("future", "future")))
    c = timed(d, Clause(who, verbal(d, verb, who.who, tense, supported=True)), time)
    return statement(d, negated(d, with_object(c, item), tense, with_kein=item.german["accusative"]))


def no_substance(d: Derivation, item: Nominal, gender: str) -> Nominal:
    """``keinen Tee``, any tea, 茶."""
    key = d.key()
    article = say("kein" + german.ending("ein", "accusative", gender, plural=False), key)
    return replace(
        item,
        german={"accusative": join(article, item.german["accusative"])},
        english_object=join(say("any", key), item.english_object),
    )


def yes_no_question(d: Derivation) -> Expression:
    """Hat Anna gestern den Brief gelesen?"""
    draw = d.random.random()
    if draw < 0.4:
        c = timed(d, action(d, "past", "object dative glance mishap", supported=True), "past", first=0)
    elif draw < 0.6:
        c = action(d, "progressive", "object dative activity", supported=True)
    elif draw < 0.8:
        c = timed(d, action(d, "future", "object dative glance activity", supported=True), "future", first=0)
    else:
        modal = d.random.choice(("können", "müssen", "wollen", "dürfen", "sollen"))
        d.lexemes.add(modal)
        c = action(d, modal, "object dative glance activity", supported=True)
    particle = hanzi("吗")
    return sentence(d, german_question(c), english_question(c), join(chinese_main(c), particle), "?")


def someone(word: tuple[str, str, str], key: int, german_case: str = "nominative") -> Nominal:
    """A question word in place of a noun phrase."""
    german_word, english_word, chinese_word = word
    english = say(english_word, key)
    return Nominal({german_case: say(german_word, key)}, english, english, hanzi(chinese_word, key), "er", key)


def question_who(d: Derivation) -> Expression:
    """Wer hat das Fenster aufgemacht?"""
    kinds = d.lexicon.verbs_by_kind
    verb = d.pick(kinds["object"] + kinds["dative"] + kinds["glance"] + kinds["mishap"])
    who = someone(("wer", "who", "谁"), d.key())
    item = direct_object(d, verb, who, definite=True)
    tense = "past" if verb.kind == "mishap" else d.random.choice(("past", "future"))
    c = with_object(
        Clause(who, verbal(d, verb, "er", tense)), item, "dative" if verb.kind == "dative" else "accusative"
    )
    c = timed(d, c, tense, first=0) if d.chance(0.5) else c
    return sentence(d, german_main(c), english_main(c), chinese_main(c), "?")


def asked_tense(d: Derivation, verb: Verb, who: Nominal) -> Clause:
    """A clause in a past or future tense, ready to be turned into a question about one of its parts."""
    tense = "past" if verb.kind == "mishap" else d.random.choice(("past", "future"))
    c = Clause(who, verbal(d, verb, who.who, tense, supported=True))
    return timed(d, c, tense, first=0) if d.chance(0.6) else c


def question_what(d: Derivation) -> Expression:
    """Was hat Anna gestern gekauft?"""
    kinds = d.lexicon.verbs_by_kind
    pool = [verb for verb in kinds["object"] + kinds["glance"] + kinds["mishap"] if counted_objects(verb)]
    c = asked_tense(d, d.pick(pool), subject(d))
    return about_object(d, c, ("was", "what", "什么"))


def question_whom(d: Derivation) -> Expression:
    """Wen hat der Arzt besucht?"""
    kinds = d.lexicon.verbs_by_kind
    verb = d.pick([verb for verb in kinds["object"] + kinds["glance"] + kinds["mishap"] if "person" in verb.objects])
    return about_object(d, asked_tense(d, verb, subject(d)), ("wen", "who", "谁"))


def about_object(d: Derivation, c: Clause, word: tuple[str, str, str]) -> Expression:
    """Ask for the object: in front in German and English, where it always stands in Chinese."""
    key = d.key()
    german_word, english_word, chinese_word = word
    asked = replace(c, objects=Expression(chinese=hanzi(chinese_word, key)))
    return sentence(
        d,
        german_main(asked, say(german_word, key)),
        english_question(asked, say(english_word, key)),
        chinese_main(asked),
        "?",
    )


def question_where(d: Derivation) -> Expression:
    """Wo hat der Junge den Schlüssel gefunden?"""
    key = d.key()
    if d.chance(0.5):
        c = action(d, "past", "object mishap", supported=True, definite=True)
    else:
        c = action(d, "present", "activity", supported=True)
    c = replace(c, place=Expression(chinese=hanzi("在哪里", key)))
    return sentence(d, german_main(c, say("wo", key)), english_question(c, say("where", key)), chinese_main(c), "?")


def question_when_or_why(d: Derivation) -> Expression:
    """Wann wird Peter das Auto reparieren? Warum hat Peter das Auto verkauft?"""
    key = d.key()
    tense, words = d.random.choice((("future", ("wann", "when", "什么时候")), ("past", ("warum", "why", "为什么"))))
    c = action(d, tense, "object dative glance activity", supported=True, definite=True)
    c = replace(c, time=Expression(chinese=hanzi(words[2], key)))
    return sentence(
        d, german_main(c, say(words[0], key)), english_question(c, say(words[1], key)), chinese_main(c), "?"
    )


def request(d: Derivation) -> Expression:
    """Mach bitte das Fenster auf! Mach das Fenster bitte nicht auf!"""
    kinds = d.lexicon.verbs_by_kind
    verb = d.pick([verb for verb in kinds["object"] + kinds["glance"] + kinds["dative"] if verb.objects - SUBSTANCES])
    listener = someone(("", "", ""), d.key())
    item = direct_object(d, verb, replace(listener, who="du"), definite=True, counted=True)
    v = verbal(d, verb, "du", "present")
    please, deny = d.key(), d.key()
    denied = d.chance(0.3)
    c = with_object(
        Clause(listener, replace(v, verb=say(verb.english, v.key))),
        item,
        "dative" if verb.kind == "dative" else "accusative",
    )
    negation = (
        Expression(say("nicht", deny), join(say("do", possibly=(deny,)), say("not", deny)), hanzi("不要", deny))
        if denied
        else NOTHING
    )
    asked: Phrase = join(
        say(german.imperative(verb), v.key),
        c.light,
        say("bitte", please),
        c.objects.german,
        negation.german,
        v.closing,
    )
    return sentence(
        d,
        asked,
        join(say("please", please), negation.english, c.verbal.verb, c.objects.english),
        join(hanzi("请", please), negation.chinese, v.chinese, c.objects.chinese),
        "!",
    )
