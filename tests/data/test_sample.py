"""The sample corpus: what its README promises, read from the committed files and from a fresh derivation."""

import importlib
import re
import subprocess
import sys
from itertools import combinations
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Any

import pytest

from s2s.report.words import words

SAMPLE = Path(__file__).parents[2] / "data" / "sample"
SIZES = {"train": 20_000, "valid": 1_000, "test": 1_000, "test_unseen": 1_000}
LANGUAGES = ("de", "en", "zh")
SOURCES = ("de", "zh")
LINK = re.compile(r"(\d+)([-?])(\d+)")
VERB_LAST = ("that", "because")
WORKED = {
    "Jeden Abend wacht der Soldat um sechs Uhr auf.": (
        "Every evening the soldier wakes up at six o'clock.",
        "0-0 0-1 1-0 1-1 2-4 2-5 3-2 4-3 5-6 6-7 7-8 8-4 8-5 9-9",
        "每天晚上士兵六点醒来。",
        "0-0 0-1 1-0 1-1 2-0 2-1 3-0 3-1 4-3 5-3 6-7 7-8 8-4 8-5 9-4 9-5 10-9",
    ),
    "Der Wolf, den dieser Journalist gesehen hat, ist klein.": (
        "The wolf that this journalist saw is small.",
        "0-0 1-1 2?2 3-2 4-3 5-4 6-5 7?5 8?2 9-6 10-7 11-8",
        "这个记者看见的狼很小。",
        "0-3 1?4 2-4 3-4 4-5 5-5 6-2 7-1 8?7 9-7 10-8",
    ),
    "Mach bitte die roten Flaschen nicht auf!": (
        "Please do not open the red bottles!",
        "0-3 1-0 2-4 3-5 4-6 5?1 5-2 6-3 7-7",
        "请不要打开那些红色的瓶子！",
        "0-0 1?1 1-2 2?1 2-2 3-3 4-3 5-4 6-4 7-5 8-5 9?5 10-6 11-6 12-7",
    ),
}
"""Committed sentences whose links were worked out by hand: English, its links, Chinese, its links."""


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    """The generating program, imported from its folder."""
    sys.path.insert(0, str(SAMPLE))
    try:
        return importlib.import_module("generate")
    finally:
        sys.path.remove(str(SAMPLE))


@pytest.fixture(scope="module")
def derived(generate: ModuleType) -> Any:
    """Every sentence with the rule and the lexemes it was derived from, and the held-out pairs."""
    return generate.corpus()


@pytest.fixture(scope="module")
def nominal(generate: ModuleType) -> ModuleType:
    """The rules of noun phrases."""
    return sys.modules["nominal"]


@pytest.fixture
def derivation(generate: ModuleType, nominal: ModuleType) -> Any:
    """A derivation to build phrases in by hand."""
    return nominal.Derivation(Random(0), generate.Lexicon())


def lines(name: str) -> list[str]:
    """The lines of a committed file."""
    return (SAMPLE / name).read_text(encoding="utf-8").splitlines()


def tokens(text: str) -> list[str]:
    """The words that alignment lines count."""
    return [text[start:end] for start, end in words(text)]


def parsed(line: str) -> list[tuple[int, str, int]]:
    """The links of an alignment line; anything that is not a link is an error."""
    matches = [LINK.fullmatch(part) for part in line.split(" ")]
    assert all(matches), f"not an alignment line: {line!r}"
    return [(int(match[1]), match[2], int(match[3])) for match in matches if match]


def entry(derivation: Any, kind: str, german: str) -> Any:
    """A lexeme by its German form."""
    return next(entry for entry in getattr(derivation.lexicon, kind) if entry.german == german)


def spelt(phrase: Any, between: str = " ") -> str:
    """The text of a phrase."""
    return between.join(word.text for word in phrase)


@pytest.mark.parametrize("split", SIZES)
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_split_has_its_size_and_no_sentence_twice(split: str, language: str) -> None:
    sentences = lines(f"{split}.{language}")
    assert len(sentences) == SIZES[split]
    assert len(set(sentences)) == SIZES[split]


@pytest.mark.parametrize("split", ["valid", "test", "test_unseen"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_no_sentence_of_another_split_occurs_in_training(split: str, language: str) -> None:
    assert not set(lines(f"train.{language}")) & set(lines(f"{split}.{language}"))


def test_generating_again_gives_the_committed_bytes(generate: ModuleType, derived: Any, tmp_path: Path) -> None:
    generate.write(tmp_path, generate.files(*derived))
    names = [f"{split}.{suffix}" for split in SIZES for suffix in (*LANGUAGES, "de-en.align", "zh-en.align")]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*names, "held_out.tsv"])
    for name in [*names, "held_out.tsv"]:
        assert (tmp_path / name).read_bytes() == (SAMPLE / name).read_bytes(), name


def test_a_file_in_place_of_the_folder_is_refused_with_exit_code_2(tmp_path: Path) -> None:
    file = tmp_path / "taken"
    file.write_text("")
    done = subprocess.run([sys.executable, SAMPLE / "generate.py", file], capture_output=True, text=True)
    assert done.returncode == 2
    assert "expected a folder" in done.stderr
    assert "Traceback" not in done.stderr


def test_only_the_unseen_split_contains_held_out_pairs(derived: Any) -> None:
    splits, held_out = derived
    assert [tuple(line.split("\t")) for line in lines("held_out.tsv")] == sorted(held_out)
    for split in ("train", "valid", "test"):
        assert not any(sentence.pairs() & held_out for sentence in splits[split])
    assert all(sentence.pairs() & held_out for sentence in splits["test_unseen"])


def test_a_held_out_word_and_its_construction_both_occur_in_training(derived: Any) -> None:
    splits, held_out = derived
    trained = {pair for sentence in splits["train"] for pair in sentence.pairs()}
    assert {lexeme for lexeme, _ in held_out} <= {lexeme for lexeme, _ in trained}
    assert {construction for _, construction in held_out} <= {construction for _, construction in trained}


def test_training_uses_every_lexeme_forty_times_and_every_construction_hundreds_of_times(
    generate: ModuleType, derived: Any
) -> None:
    lexicon = generate.Lexicon()
    known = [*lexicon.nouns, *lexicon.verbs, *lexicon.adjectives, *lexicon.adverbials]
    lexemes = dict.fromkeys((entry.german for entry in known), 0)
    constructions = dict.fromkeys(generate.CONSTRUCTIONS, 0)
    for sentence in derived[0]["train"]:
        constructions[sentence.construction] += 1
        for lexeme in sentence.lexemes & lexemes.keys():
            lexemes[lexeme] += 1
    assert len(lexemes) >= 400
    assert len(constructions) >= 15
    assert min(lexemes.values()) >= 40
    assert min(constructions.values()) >= 300


def test_no_source_sentence_has_two_translations(generate: ModuleType) -> None:
    random, lexicon, usage = Random(7), generate.Lexicon(), generate.Counter()
    translation: dict[str, str] = {}
    for i in range(8_000):
        names = list(generate.CONSTRUCTIONS)
        sentence = generate.derive(random, lexicon, names[i % len(names)], usage)
        for source in (sentence.de, sentence.zh):
            assert translation.setdefault(source, sentence.en) == sentence.en, source


@pytest.mark.parametrize("split", SIZES)
@pytest.mark.parametrize("language", SOURCES)
def test_links_stay_within_both_sentences_and_join_the_final_punctuation(split: str, language: str) -> None:
    sources, targets = lines(f"{split}.{language}"), lines(f"{split}.en")
    for source, target, line in zip(sources, targets, lines(f"{split}.{language}-en.align"), strict=True):
        links = parsed(line)
        last_source, last_target = len(tokens(source)) - 1, len(tokens(target)) - 1
        assert all(i <= last_source and j <= last_target for i, _, j in links), source
        assert len({(i, j) for i, _, j in links}) == len(links), source
        assert [link for link in links if link[0] == last_source] == [(last_source, "-", last_target)], source


@pytest.mark.parametrize("language", SOURCES)
def test_sure_links_cross_in_more_than_forty_per_cent_of_the_sentences(language: str) -> None:
    alignments = [parsed(line) for line in lines(f"train.{language}-en.align")[:4_000]]
    sure = [[(i, j) for i, kind, j in links if kind == "-"] for links in alignments]
    crossing = [any((i - k) * (j - m) < 0 for (i, j), (k, m) in combinations(links, 2)) for links in sure]
    assert sum(crossing) > 0.4 * len(crossing)


@pytest.mark.parametrize("source", WORKED)
def test_an_alignment_worked_by_hand_is_the_committed_one(source: str) -> None:
    english, german_links, chinese, chinese_links = WORKED[source]
    split = next(split for split in SIZES if source in lines(f"{split}.de"))
    i = lines(f"{split}.de").index(source)
    assert lines(f"{split}.en")[i] == english
    assert lines(f"{split}.de-en.align")[i] == german_links
    assert lines(f"{split}.zh")[i] == chinese
    assert lines(f"{split}.zh-en.align")[i] == chinese_links


@pytest.mark.parametrize(
    ("determiner", "case", "expected"),
    [
        ("THE", "nominative", "der kleine Hund"),
        ("THE", "accusative", "den kleinen Hund"),
        ("THE", "dative", "dem kleinen Hund"),
        ("THE", "genitive", "des kleinen Hundes"),
        ("A", "nominative", "ein kleiner Hund"),
        ("NO", "accusative", "keinen kleinen Hund"),
        ("THIS", "dative", "diesem kleinen Hund"),
    ],
)
def test_article_and_adjective_agree_with_the_case(
    derivation: Any, nominal: ModuleType, determiner: str, case: str, expected: str
) -> None:
    dog, small = entry(derivation, "nouns", "Hund"), entry(derivation, "adjectives", "klein")
    phrase = nominal.noun_phrase(derivation, dog, getattr(nominal, determiner), adjective=small)
    assert spelt(phrase.german[case]) == expected


def test_gender_and_number_change_the_ending(derivation: Any, nominal: ModuleType) -> None:
    small = entry(derivation, "adjectives", "klein")
    cat, horse = entry(derivation, "nouns", "Katze"), entry(derivation, "nouns", "Pferd")
    assert spelt(nominal.noun_phrase(derivation, cat, nominal.A, adjective=small).german["dative"]) == (
        "einer kleinen Katze"
    )
    assert spelt(nominal.noun_phrase(derivation, horse, nominal.A, adjective=small).german["accusative"]) == (
        "ein kleines Pferd"
    )
    plural = nominal.noun_phrase(derivation, horse, nominal.THE, adjective=small, plural=True)
    assert spelt(plural.german["dative"]) == "den kleinen Pferden"


def test_a_weak_noun_takes_its_ending_outside_the_nominative(derivation: Any, nominal: ModuleType) -> None:
    phrase = nominal.noun_phrase(derivation, entry(derivation, "nouns", "Junge"), nominal.THE)
    assert spelt(phrase.german["nominative"]) == "der Junge"
    assert spelt(phrase.german["accusative"]) == "den Jungen"
    assert spelt(phrase.german["genitive"]) == "des Jungen"


def test_a_number_takes_the_classifier_of_its_noun(derivation: Any, nominal: ModuleType) -> None:
    for german, expected in (("Hund", "三只狗"), ("Buch", "三本书"), ("Pferd", "三匹马"), ("Auto", "三辆汽车")):
        derivation.lexicon.by_kind["number"] = [entry(derivation, "adverbials", "drei")]
        phrase = nominal.counted(derivation, entry(derivation, "nouns", german))
        assert spelt(phrase.chinese, "") == expected


def test_the_participle_stands_last_in_the_past(generate: ModuleType, derived: Any) -> None:
    participles = {verb.german: verb.participle for verb in generate.Lexicon().verbs}
    past = [sentence for sentence in derived[0]["train"] if sentence.construction == "past"]
    for sentence in past:
        used = {participles[lexeme] for lexeme in sentence.lexemes & participles.keys()}
        assert tokens(sentence.de)[-2] in used, sentence.de


def test_the_finite_verb_stands_last_in_a_subordinate_clause(derived: Any) -> None:
    finite = {"hat", "habe", "hast", "haben", "ist", "bin", "bist", "sind", "wird", "werde", "wirst", "werden"}
    subordinate = [sentence for sentence in derived[0]["train"] if sentence.construction in VERB_LAST]
    assert len(subordinate) > 600
    for sentence in subordinate:
        assert tokens(sentence.de)[-2] in finite, sentence.de


def test_a_separated_prefix_and_its_stem_both_mean_the_english_verb(derivation: Any, generate: ModuleType) -> None:
    verb = entry(derivation, "verbs", "aufstehen")
    verbal = sys.modules["clause"].verbal(derivation, verb, "er", "present")
    assert spelt(verbal.finite) == "steht"
    assert spelt(verbal.closing) == "auf"
    assert spelt(verbal.cluster) == "aufsteht"
    assert spelt(verbal.verb) == "gets up"
    german = verbal.finite + verbal.closing
    assert generate.links(german, verbal.verb) == "0-0 0-1 1-0 1-1"


def test_chinese_has_no_blanks_and_full_width_punctuation() -> None:
    for split in SIZES:
        for line in lines(f"{split}.zh"):
            assert re.fullmatch(r"[\u4e00-\u9fff，]+[。？！]", line), line


def test_english_sentences_have_three_to_sixteen_words() -> None:
    lengths = [len(line.split()) for split in SIZES for line in lines(f"{split}.en")]
    assert min(lengths) >= 3
    assert max(lengths) <= 16
    assert 7 <= sum(lengths) / len(lengths) <= 9
