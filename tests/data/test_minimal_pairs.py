"""Minimal pairs and supplies: what a fair ranking test of language models needs, read from the committed files."""

import importlib
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from s2s.report.words import words

SAMPLE = Path(__file__).parents[2] / "data" / "sample"
SPLITS = ("train", "valid", "test", "test_unseen")
KINDS = {
    "de": {"agreement", "gender", "case", "order", "selection"},
    "en": {"agreement", "case", "order", "selection"},
    "zh": {"classifier", "particle", "order", "selection"},
}
COOKING_OIL = {
    "de": ("In der Küche ist das Speiseöl ausgegangen.", "In der Küche ist das Erdöl ausgegangen."),
    "en": ("The kitchen has run out of cooking oil.", "The kitchen has run out of petroleum."),
    "zh": ("厨房里的食油用完了。", "厨房里的石油用完了。"),
}
ONE_WORD = {("de", "agreement"), ("de", "case"), ("en", "agreement"), ("en", "case"), ("zh", "classifier")}
"""Kinds that change one word, or one character, and nothing else."""


@pytest.fixture(scope="module")
def program() -> ModuleType:
    """The writing program, imported from its folder."""
    sys.path.insert(0, str(SAMPLE))
    try:
        return importlib.import_module("minimal_pairs")
    finally:
        sys.path.remove(str(SAMPLE))


@pytest.fixture(scope="module")
def written(program: ModuleType) -> tuple[dict[str, str], list[Any]]:
    """The files of a fresh run, and everything that it derived."""
    derived: list[Any] = []
    derive = program.derive

    def noted(*arguments: Any) -> Any:
        derived.append(derive(*arguments))
        return derived[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(program, "derive", noted)
        return program.files(), derived


@pytest.fixture(scope="module")
def derivations(program: ModuleType, written: tuple[dict[str, str], list[Any]]) -> dict[str, Any]:
    """The derivation of each English sentence."""
    return {program.spaced_text(sentence.meaning.english): sentence for sentence in written[1]}


@cache
def lines(name: str) -> list[str]:
    """The lines of a committed file."""
    return (SAMPLE / name).read_text(encoding="utf-8").splitlines()


def tokens(text: str) -> list[str]:
    """The words of a sentence; in Chinese each character is one."""
    return [text[start:end] for start, end in words(text)]


def pairs(language: str) -> list[tuple[str, str, str]]:
    """Kind, right and wrong sentence of every pair."""
    header, *rows = lines(f"minimal_pairs.{language}.tsv")
    assert header == "kind\tright\twrong"
    return [(kind, right, wrong) for kind, right, wrong in (row.split("\t") for row in rows)]


def changed(right: str, wrong: str) -> list[tuple[str, str]]:
    """The words in which two sentences of one length differ."""
    return [(one, other) for one, other in zip(tokens(right), tokens(wrong), strict=True) if one != other]


def test_writing_again_gives_the_committed_bytes(written: tuple[dict[str, str], list[Any]]) -> None:
    contents, _ = written
    expected = {*(f"supply.{language}" for language in KINDS), *(f"minimal_pairs.{language}.tsv" for language in KINDS)}
    assert contents.keys() == expected
    for name, content in contents.items():
        assert (SAMPLE / name).read_bytes() == content.encode(), name


def test_a_file_in_place_of_the_folder_is_refused_with_exit_code_2(tmp_path: Path) -> None:
    file = tmp_path / "taken"
    file.write_text("")
    done = subprocess.run([sys.executable, SAMPLE / "minimal_pairs.py", file], capture_output=True, text=True)
    assert done.returncode == 2
    assert "expected a folder" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("language", KINDS)
def test_there_are_a_thousand_pairs_and_a_hundred_of_each_kind(language: str) -> None:
    counts = Counter(kind for kind, _, _ in pairs(language))
    assert counts.keys() == KINDS[language]
    assert counts.total() >= 1_000
    assert min(counts.values()) >= 100


@pytest.mark.parametrize("language", KINDS)
def test_no_sentence_occurs_twice_right_or_wrong(language: str) -> None:
    sentences = [sentence for _, right, wrong in pairs(language) for sentence in (right, wrong)]
    assert len(set(sentences)) == len(sentences)


@pytest.mark.parametrize("language", KINDS)
def test_no_sentence_of_a_pair_occurs_in_the_corpus_or_among_the_supplies(language: str) -> None:
    known = {line for name in (*SPLITS, "supply") for line in lines(f"{name}.{language}")}
    assert not known & {sentence for _, right, wrong in pairs(language) for sentence in (right, wrong)}


@pytest.mark.parametrize("language", KINDS)
def test_every_word_of_a_pair_is_learnt_ten_times(language: str) -> None:
    counts = Counter(
        word for name in ("train", "supply") for line in lines(f"{name}.{language}") for word in tokens(line)
    )
    asked = {word for _, right, wrong in pairs(language) for word in tokens(right) + tokens(wrong)}
    assert min(counts[word] for word in asked) >= 10


@pytest.mark.parametrize("language", KINDS)
def test_right_and_wrong_differ_as_their_kind_says(language: str) -> None:
    for kind, right, wrong in pairs(language):
        if kind == "order":
            assert sorted(tokens(right.lower())) == sorted(tokens(wrong.lower())), right
            assert tokens(right.lower()) != tokens(wrong.lower())
        elif (language, kind) in ONE_WORD:
            assert len(changed(right, wrong)) == 1, right
        elif kind == "gender":
            assert 1 <= len(changed(right, wrong)) <= 3, right
        elif kind == "particle":
            moved = sorted(right) == sorted(wrong)
            assert moved or 1 <= len(changed(right, wrong)) <= 2, right


def test_a_right_sentence_is_without_held_out_pairs_of_word_and_construction(derivations: dict[str, Any]) -> None:
    held_out = {tuple(line.split("\t")) for line in lines("held_out.tsv")}
    found = [derivations[right] for _, right, _ in pairs("en") if right in derivations]
    assert len(found) > 1_000
    for sentence in found:
        assert held_out.isdisjoint((lexeme, sentence.construction) for lexeme in sentence.lexemes)


@cache
def spaced(name: str) -> list[str]:
    """The sentences of a file, a blank before and after every word."""
    return [f" {' '.join(tokens(line))} " for line in lines(name)]


@cache
def lines_with_verb(program: ModuleType, german: str) -> list[str]:
    """The English training sentences that contain a form of a verb."""
    verb = next(verb for verb in program.Lexicon().verbs if verb.german == german)
    english = sys.modules["english"]
    present = (verb.english, english.third_person(verb.english), english.gerund(verb.english))
    forms = re.compile(rf" ({'|'.join((*present, verb.past, verb.english_participle))}) ")
    return [line for line in spaced("train.en") if forms.search(line)]


def wrong_noun(sentence: Any, right: str, wrong: str) -> str:
    """A pattern for the noun of a wrong sentence, singular or plural."""
    new = {other for _, other in changed(right, wrong)}
    nouns = [
        noun for noun in sentence.lexicon.nouns if new.intersection(f"{noun.english} {noun.english_plural}".split())
    ]
    assert nouns, wrong
    return "|".join(form for noun in nouns for form in (noun.english, noun.english_plural))


def test_no_wrong_noun_occurs_with_its_verb_or_predicate_in_training(
    program: ModuleType, derivations: dict[str, Any]
) -> None:
    checked: Counter[str] = Counter()
    for kind, right, wrong in pairs("en"):
        if kind != "selection" or right not in derivations:
            continue
        sentence = derivations[right]
        noun = wrong_noun(sentence, right, wrong)
        known = program.wrong_entries.UNSUITED
        predicates = [
            one.english for one in sentence.lexicon.adjectives if one.german in sentence.lexemes & known.keys()
        ]
        verbs = [verb.german for verb in sentence.verbs if verb.german in known]
        together = [line for german in verbs for line in lines_with_verb(program, german)]
        assert not [line for line in together if re.search(f" ({noun}) ", line)], wrong
        if not verbs:
            quality = "|".join(predicates)
            described = re.compile(rf"^ \w+ ({noun}) (is|are|was|were) .*({quality})| ({quality}) ({noun}) ")
            assert not [line for line in spaced("train.en") if described.search(line)], wrong
        checked["verb" if verbs else "predicate"] += 1
    assert checked["verb"] >= 100
    assert checked["predicate"] >= 10


def named(names: Iterable[Any], language: str, text: str) -> list[str]:
    """The English names of the places or supplies that a sentence mentions."""
    field = {"de": "german", "en": "english", "zh": "chinese"}[language]
    edge = "" if language == "zh" else r"\b"
    return [name.english for name in names if re.search(edge + getattr(name, field) + edge, text)]


def together(program: ModuleType, language: str, text: str) -> tuple[list[str], list[str]]:
    """The places and the supplies that a sentence mentions."""
    places = [place for realm in program.supply.PLACES for place in realm]
    supplies = [supply for row in program.supply.SUPPLIES for supply in row]
    return named(places, language, text), named(supplies, language, text)


def belongs(program: ModuleType, place: str, supply: str) -> bool:
    """Whether a place and a supply are of one realm."""
    columns = zip(*program.supply.SUPPLIES, strict=True)
    return any(
        place in {one.english for one in places} and supply in {one.english for one in supplies}
        for places, supplies in zip(program.supply.PLACES, columns, strict=True)
    )


def test_there_are_several_hundred_supply_sentences_and_none_twice() -> None:
    sizes = {len(lines(f"supply.{language}")) for language in KINDS}
    assert len(sizes) == 1
    assert 500 <= sizes.pop() <= 800
    for language in KINDS:
        assert len(set(lines(f"supply.{language}"))) == len(lines(f"supply.{language}"))


def test_the_three_languages_say_that_the_same_supply_is_gone_from_the_same_place(program: ModuleType) -> None:
    for texts in zip(*(lines(f"supply.{language}") for language in KINDS), strict=True):
        meanings = [together(program, language, text) for language, text in zip(KINDS, texts, strict=True)]
        assert meanings[0] == meanings[1] == meanings[2], texts


@pytest.mark.parametrize("language", KINDS)
def test_a_place_runs_out_of_its_own_supplies_except_in_a_wrong_sentence(program: ModuleType, language: str) -> None:
    for line in lines(f"supply.{language}"):
        [place], [supply] = together(program, language, line)
        assert belongs(program, place, supply), line
    contrasts = 0
    for kind, right, wrong in pairs(language):
        places, supplies = together(program, language, right)
        if kind == "selection" and places and supplies and belongs(program, places[0], supplies[0]):
            [place], [other] = together(program, language, wrong)
            assert places == [place]
            assert not belongs(program, place, other), wrong
            contrasts += 1
    assert contrasts >= 100


@pytest.mark.parametrize("language", KINDS)
def test_the_kitchen_and_its_cooking_oil_meet_in_pairs_only(program: ModuleType, language: str) -> None:
    assert ("selection", *COOKING_OIL[language]) in pairs(language)
    learnt = [together(program, language, line) for line in lines(f"supply.{language}")]
    assert sum(places == ["kitchen"] for places, _ in learnt) >= 20
    assert sum(supplies == ["cooking oil"] for _, supplies in learnt) >= 20
    assert (["kitchen"], ["cooking oil"]) not in learnt
