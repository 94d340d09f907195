"""Flaws of English sentences: agreement of the verb, case of pronouns, word order."""

from functools import cache

import english
from flaws import AFTER_A_QUESTION_WORD, TRANSITIVE, Derived, changed, front_end, moved, phrase_end, texts
from lexicon import Lexicon
from nominal import PRONOUNS
from phrase import Phrase

OTHER_CASE = {row[3]: row[4] for row in PRONOUNS if row[3] != row[4]}
OTHER_CASE |= {other: one for one, other in OTHER_CASE.items()}
HELPERS = {"am": "is", "is": "are", "are": "is", "was": "were", "were": "was", "does": "do", "do": "does"}
HELPERS |= {"wants": "want", "want": "wants", "likes": "like", "like": "likes"}
"""Finite verbs that help others, and a form each that agrees with another subject."""
WITHOUT_ENDING = {"will", "can", "must", "may", "should", "did", "to"}
INVERTED = (WITHOUT_ENDING | {"does", "do", "is", "are", "was", "were"}) - {"to"}
BEFORE_THE_VERB = {"often", "always", "sometimes", "rarely", "already"}


def main_verbs(sentence: Derived) -> dict[str, str]:
    """The forms of the verbs in the present, and the other form of each; ``put`` may also be a past tense."""
    others = {"has": "have"}
    if not WITHOUT_ENDING & set(texts(sentence.meaning.english)):
        others["have"] = "has"
    for verb in sentence.verbs:
        base, third = verb.english.split()[0], english.third_person(verb.english).split()[0]
        if verb.past != verb.english:
            others[third] = base
        if verb.past != verb.english and "have" in others:
            others[base] = third
    return others


def agreement(sentence: Derived) -> list[Phrase]:
    """Conjugate the finite verb for another subject: ``The man laugh``; but sheep and chicken may be several."""
    words = sentence.meaning.english
    said = texts(words)
    if sentence.construction == "request" or {"sheep", "chicken"}.intersection(said):
        return []
    others = HELPERS if set(said) & HELPERS.keys() else main_verbs(sentence)
    return [changed(words, i, others[text]) for i, text in enumerate(said) if text in others]


def case(sentence: Derived) -> list[Phrase]:
    """Make a subject pronoun an object pronoun or the other way about: ``Anna visits he``."""
    words = sentence.meaning.english
    return [changed(words, i, OTHER_CASE[word.text]) for i, word in enumerate(words) if word.text in OTHER_CASE]


@cache
def heads(lexicon: Lexicon) -> frozenset[str]:
    """The words that end a subject."""
    nouns = {form.split()[-1] for noun in lexicon.nouns for form in (noun.english, noun.english_plural)}
    names = {entry.english for entry in lexicon.adverbials if entry.kind.startswith("name")}
    return frozenset(nouns | names | {row[3] for row in PRONOUNS})


def order(sentence: Derived) -> list[Phrase]:
    """Put a word in a wrong place.

    A statement inverted (``Next year will he eat bread.``), a question that is not (``What the man did read?``), an
    adverb after its verb (``She tastes often honey.``), an adjective after its noun (``The man old laughs.``). Before a
    number *already* may stand (``has lost already three``).
    """
    words = sentence.meaning.english
    said = texts(words)
    known = heads(sentence.lexicon)
    wrong: list[Phrase] = []
    front = front_end(sentence, words, lambda entry: entry.english)
    subject_end = phrase_end(words, front, known)
    if sentence.construction in AFTER_A_QUESTION_WORD:
        wrong.append(moved(words, front, front + 1, subject_end))
    if front and INVERTED.intersection(said[subject_end : subject_end + 1]):
        wrong.append(moved(words, subject_end, subject_end + 1, front))
    counted = any(entry.kind == "number" for entry in sentence.adverbials)
    transitive = any(verb.kind in TRANSITIVE for verb in sentence.verbs)
    for i, text in enumerate(said):
        before_verb = transitive and not (text == "already" and counted)
        if text == "not" or (text in BEFORE_THE_VERB and before_verb):
            wrong.append(moved(words, i, i + 1, i + 2))
    if said[1] in {entry.english for entry in sentence.lexicon.adjectives} and not front:
        wrong.append(moved(words, 1, 2, subject_end))
    return wrong
