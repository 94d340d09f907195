"""Sentences of two clauses: subordinate clauses, relative clauses and infinitives with zu."""

from dataclasses import replace

import english
import german
from circumstances import city
from clause import (
    Clause,
    Expression,
    chinese_main,
    english_main,
    german_main,
    german_middle,
    german_subordinate,
    goal,
    verbal,
)
from lexicon import Noun, Verb
from nominal import PRONOUNS, THE, Derivation, Nominal, noun_phrase, pronoun, subject
from phrase import Phrase, hanzi, join, say
from predicates import copula, feeling
from statements import action, direct_object, sentence, somewhere, timed, with_object

EMOTIONS = ("traurig", "glücklich", "nervös")
OBSTACLES = ("traurig", "nervös", "müde", "hungrig")
EVENTS = "object dative glance"
ERRANDS = {
    "kaufen",
    "verkaufen",
    "essen",
    "trinken",
    "suchen",
    "holen",
    "malen",
    "besuchen",
    "fragen",
    "umarmen",
    "loben",
    "grüßen",
    "lernen",
    "unterrichten",
    "helfen",
    "danken",
    "gratulieren",
    "einladen",
    "abholen",
    "ausleihen",
}


def comma(key: int) -> Phrase:
    """A German comma, which may help to express the conjunction."""
    return say(",", possibly=(key,))


def because(d: Derivation) -> Expression:
    """Der Lehrer ist traurig, weil Anna den Schlüssel verloren hat."""
    main = feeling(d, subject(d), EMOTIONS, past=False)
    reason = action(d, "past", EVENTS + " mishap", definite=True)
    key, so = d.key(), d.key()
    return sentence(
        d,
        join(german_main(main), comma(key), say("weil", key), german_subordinate(reason)),
        join(english_main(main), say("because", key), english_main(reason)),
        join(hanzi("因为", key), chinese_main(reason), hanzi("，", possibly=(so,)), hanzi("所以"), chinese_main(main)),
    )


def that(d: Derivation) -> Expression:
    """Peter glaubt, dass der Arzt das Auto verkauft hat."""
    verb, who = d.verb("opinion"), subject(d)
    main = Clause(who, verbal(d, verb, who.who, "present"))
    if verb.german in {"hoffen", "fürchten"} or d.chance(0.4):
        content = action(d, "future", EVENTS, definite=True)
    else:
        content = action(d, "past", EVENTS + " mishap", definite=True)
    key = d.key()
    return sentence(
        d,
        join(german_main(main), comma(key), say("dass", key), german_subordinate(content)),
        join(english_main(main), say("that", key), english_main(content)),
        join(chinese_main(main), chinese_main(content)),
    )


def in_preterite(d: Derivation, verb: Verb, who: Nominal, *, lasting: bool) -> Clause:
    """A clause in the preterite: what happened (came), or what was going on (was sleeping)."""
    key = d.key()
    form = german.preterite(verb, who.who)
    v = replace(
        verbal(d, verb, who.who, "present", key=key),
        finite=say(form, key),
        cluster=say(verb.prefix + form, key),
    )
    if lasting:
        was = say(english.BE_PAST[who.who], possibly=(key,))
        going_on = hanzi("正在", possibly=(key,))
        return Clause(who, replace(v, auxiliary=was, verb=say(english.gerund(verb.english), key), before=going_on))
    return Clause(who, replace(v, verb=say(verb.past, key)))


def when(d: Derivation) -> Expression:
    """Als der Vater zurückkam, schlief das Kind."""
    first = in_preterite(d, d.verb("moment"), subject(d), lasting=False)
    second = in_preterite(d, d.verb("activity"), subject(d, pronouns=False), lasting=True)
    second = somewhere(d, second, 0.5)
    key = d.key()
    return sentence(
        d,
        german_main(second, join(say("als", key), german_subordinate(first), comma(key))),
        join(say("when", key), english_main(first), comma(key), english_main(second)),
        join(chinese_main(first), hanzi("的时候", key), hanzi("，", possibly=(key,)), chinese_main(second)),
    )


def if_(d: Derivation) -> Expression:
    """Wenn der Gast morgen ankommt, wird der Koch einen Kuchen backen."""
    who = subject(d)
    condition = timed(d, Clause(who, verbal(d, d.verb("moment"), who.who, "present")), "future", first=0)
    result = action(d, "future", EVENTS, definite=True)
    key, then = d.key(), result.verbal.before[0].surely[0]
    result = replace(
        result, verbal=replace(result.verbal, before=join(hanzi("就", possibly=(then,)), result.verbal.before))
    )
    return sentence(
        d,
        german_main(result, join(say("wenn", key), german_subordinate(condition), comma(key))),
        join(say("if", key), english_main(condition), comma(key), english_main(result)),
        join(hanzi("如果", key), chinese_main(condition), hanzi("，", possibly=(key,)), chinese_main(result)),
    )


def gendered(d: Derivation) -> tuple[Nominal, tuple[str, ...]]:
    """A subject and the pronoun that takes it up: er and sie follow the grammar, so no Kind and no Mädchen."""
    noun = d.pick([noun for noun in d.lexicon.nouns_of(frozenset({"person"})) if noun.gender != "n"])
    plural = d.chance(0.2)
    row = PRONOUNS[5] if plural else PRONOUNS[2 if noun.gender == "m" else 3]
    return noun_phrase(d, noun, THE, plural=plural, bare=True), row


def although(d: Derivation) -> Expression:
    """Obwohl der Lehrer müde war, hat er den Brief gelesen."""
    who, row = gendered(d)
    concession = feeling(d, who, OBSTACLES, past=True)
    main = replace(action(d, "past", EVENTS, definite=True, who=pronoun(d, row)))
    key, but = d.key(), d.key()
    return sentence(
        d,
        german_main(main, join(say("obwohl", key), german_subordinate(concession), comma(key))),
        join(say("although", key), english_main(concession), comma(key), english_main(main)),
        join(
            hanzi("虽然", key),
            chinese_main(concession),
            hanzi("，", possibly=(key,)),
            hanzi("但是", possibly=(but,)),
            chinese_main(main),
        ),
    )


def with_relative(head: Nominal, relative: Expression) -> Nominal:
    """Attach a relative clause: after the noun in German and English, before it in Chinese."""
    cases = {case: join(words, relative.german) for case, words in head.german.items()}
    words = join(head.english, relative.english)
    return replace(
        head, german=cases, english=words, english_object=words, chinese=join(relative.chinese, head.chinese)
    )


def relative_pronoun(case: str, noun: Noun, key: int) -> Phrase:
    """``, der``, ``, den``, ``, die``, ``, das``: the article of the case, except in the dative plural and genitive."""
    return join(comma(key), say(german.article(case, noun.gender, plural=False), key))


def known(d: Derivation, noun: Noun) -> Nominal:
    """The noun with its definite article, bare in Chinese, where the relative clause makes it definite."""
    head = noun_phrase(d, noun, THE)
    return replace(head, chinese=hanzi(noun.chinese, head.key))


def subject_relative(d: Derivation) -> Expression:
    """Der Mann, der das Haus gekauft hat, ist reich. Anna kennt den Mann, der das Haus gekauft hat."""
    noun = d.noun("person")
    head, key = known(d, noun), d.key()
    did = action(d, "past", EVENTS + " mishap", definite=True, who=head)
    inner = replace(did, subject=replace(head, chinese=()))
    words = join(did.verbal.verb, did.objects.english)
    german_words = join(relative_pronoun("nominative", noun, key), german_middle(did), did.verbal.cluster)
    relative = Expression(german_words, join(say("who", key), words), join(chinese_main(inner), hanzi("的", key)))
    return relative_sentence(d, with_relative(head, relative), noun, key)


def relative_sentence(d: Derivation, described: Nominal, noun: Noun, key: int) -> Expression:
    """Say of the described that it is something; or let it be the object at the end of the sentence."""
    if d.chance(0.5) and "person" in noun.classes:
        verb = d.pick([verb for verb in d.lexicon.verbs_by_kind["state"] if "person" in verb.objects])
        who = subject(d)
        main = with_object(Clause(who, verbal(d, verb, who.who, "present")), described)
        return sentence(d, german_main(main), english_main(main), chinese_main(main))
    adjective = d.pick(d.lexicon.adjectives_for(noun, attribute=False))
    closed = replace(described, german={"nominative": join(described.german["nominative"], comma(key))})
    main = copula(d, closed, adjective)
    return sentence(d, german_main(main), english_main(main), chinese_main(main))


def object_relative(d: Derivation) -> Expression:
    """Das Buch, das Anna gestern gekauft hat, ist sehr teuer."""
    kinds = d.lexicon.verbs_by_kind
    nouns = [noun for noun in d.lexicon.nouns if d.lexicon.adjectives_for(noun, attribute=False)]
    noun = d.pick([noun for noun in nouns if not noun.classes & {"mass", "place"}])
    suited = [verb for kind in ("object", "glance", "mishap") for verb in kinds[kind] if verb.objects & noun.classes]
    head, key = known(d, noun), d.key()
    verb, who = d.pick(suited), subject(d)
    did = Clause(who, verbal(d, verb, who.who, "past"))
    did = replace(did, verbal=replace(did.verbal, after=()))
    pronoun_english = "who" if "person" in noun.classes else "that"
    relative = Expression(
        join(relative_pronoun("accusative", noun, key), german_subordinate(did)),
        join(say(pronoun_english, key), english_main(did)),
        join(chinese_main(did), hanzi("的", key)),
    )
    return relative_sentence(d, with_relative(head, relative), noun, key)


def purpose(d: Derivation) -> Expression:
    """Anna ist nach Berlin gefahren, um ein Buch zu kaufen."""
    kinds = d.lexicon.verbs_by_kind
    who = subject(d)
    far = d.chance(0.5)
    target = (
        city(d, "nach", "to", "")
        if far
        else goal(d, d.pick([noun for noun in d.lexicon.nouns_of(frozenset({"place"})) if "room" not in noun.classes]))
    )
    went = Clause(who, verbal(d, d.verb("travel" if far else "motion"), who.who, "past"))
    went = replace(
        went,
        verbal=replace(went.verbal, after=()),
        objects=Expression((), target.english, target.chinese),
        place=Expression(target.german),
    )
    verb = d.pick([verb for verb in kinds["object"] + kinds["dative"] + kinds["glance"] if verb.german in ERRANDS])
    do, order = infinitive(d, verb, who)
    key = d.key()
    aim = join(comma(key), say("um", possibly=(key,)), do.german)
    after = hanzi("了", possibly=(key,))
    return sentence(
        d,
        join(german_main(went), aim),
        join(english_main(went), say("to", key), do.english),
        join(chinese_main(went), order, after, do.chinese),
    )


def infinitive(d: Derivation, verb: Verb, who: Nominal) -> tuple[Expression, Phrase]:
    """An infinitive with zu and its object; the Chinese verb comes apart from its object, so that 了 can follow it."""
    item = direct_object(d, verb, who, definite=True)
    v = verbal(d, verb, "wir", "present")
    c = with_object(Clause(who, v), item, "dative" if verb.kind == "dative" else "accusative")
    words = Expression(
        join(c.light, c.objects.german, say(german.with_zu(verb), v.key)),
        join(say(verb.english, v.key), c.objects.english),
        c.objects.chinese,
    )
    return words, v.chinese


def attempt(d: Derivation) -> Expression:
    """Der Junge hat versucht, das Fenster aufzumachen."""
    kinds = d.lexicon.verbs_by_kind
    who = subject(d)
    main = Clause(who, verbal(d, d.verb("control"), who.who, "past"))
    main = replace(main, verbal=replace(main.verbal, after=()))
    do, verb = infinitive(d, d.pick(kinds["object"] + kinds["dative"] + kinds["glance"]), who)
    key = d.key()
    return sentence(
        d,
        join(german_main(main), comma(key), do.german),
        join(english_main(main), say("to", possibly=(key,)), do.english),
        join(chinese_main(main), verb, do.chinese),
    )
