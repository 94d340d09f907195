"""Write the sample corpus: German, English and Chinese sentences of one meaning with their gold alignments.

Run ``python data/sample/generate.py [folder]``; the folder defaults to the one this file is in. The same seed writes
the same bytes.
"""

import argparse
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

import circumstances
import predicates
import questions
import statements
import two_clauses
from clause import Expression
from lexicon import Lexicon
from nominal import Derivation
from phrase import WORD, Phrase, chinese_text, links, spaced_text

SEED = 2014
SIZES = {"train": 20_000, "valid": 1_000, "test": 1_000, "test_unseen": 1_000}
PILOT = 6_000
HELD_OUT_PER_CONSTRUCTION = 5

CONSTRUCTIONS: dict[str, Callable[[Derivation], Expression]] = {
    "past": statements.past_action,
    "progressive": statements.ongoing_action,
    "habit": statements.habit,
    "future": statements.future_action,
    "perfect": statements.finished_action,
    "modal": statements.modal_action,
    "manner": statements.manner_of_action,
    "time-manner-place": circumstances.time_manner_place,
    "journey": circumstances.journey,
    "gift": circumstances.gift,
    "placing": circumstances.placing,
    "moment": circumstances.moment,
    "duration": circumstances.duration,
    "since": circumstances.since,
    "description": predicates.description,
    "past-feeling": predicates.past_feeling,
    "comparison": predicates.comparison,
    "existence": predicates.existence,
    "state": predicates.state,
    "having": predicates.having,
    "liking": predicates.liking,
    "passive": predicates.passive,
    "denial": questions.denial,
    "no": questions.nothing_of_the_kind,
    "yes-no-question": questions.yes_no_question,
    "who-question": questions.question_who,
    "what-question": questions.question_what,
    "whom-question": questions.question_whom,
    "where-question": questions.question_where,
    "when-why-question": questions.question_when_or_why,
    "request": questions.request,
    "because": two_clauses.because,
    "that": two_clauses.that,
    "when": two_clauses.when,
    "if": two_clauses.if_,
    "although": two_clauses.although,
    "subject-relative": two_clauses.subject_relative,
    "object-relative": two_clauses.object_relative,
    "purpose": two_clauses.purpose,
    "infinitive": two_clauses.attempt,
}

Pair = tuple[str, str]


@dataclass(frozen=True)
class Sentence:
    """One meaning in three languages, its gold links, and the rule and lexemes it was derived from."""

    de: str
    en: str
    zh: str
    de_en: str
    zh_en: str
    construction: str
    lexemes: frozenset[str]

    def pairs(self) -> frozenset[Pair]:
        """Every (lexeme, construction) of the sentence."""
        return frozenset((lexeme, self.construction) for lexeme in self.lexemes)


def spelt(text: str, phrase: Phrase) -> str:
    """Check that the words of a spelt sentence are those the links count, and return it."""
    expected = [word.text.lower() for word in phrase]
    found = [word.lower() for word in WORD.findall(text)]
    if found != expected:
        raise ValueError(f"the words of {text!r} are {found}, the derivation counted {expected}; mend the rule")
    return text


def derive(random: Random, lexicon: Lexicon, construction: str, usage: Counter[str]) -> Sentence:
    """Run one construction; ``usage`` counts the lexemes of all runs."""
    d = Derivation(random, lexicon, usage)
    meaning = CONSTRUCTIONS[construction](d)
    return Sentence(
        de=spelt(spaced_text(meaning.german), meaning.german),
        en=spelt(spaced_text(meaning.english), meaning.english),
        zh=spelt(chinese_text(meaning.chinese), meaning.chinese),
        de_en=links(meaning.german, meaning.english),
        zh_en=links(meaning.chinese, meaning.english),
        construction=construction,
        lexemes=frozenset(d.lexemes),
    )


def held_out_pairs(lexicon: Lexicon) -> frozenset[Pair]:
    """Choose the (lexeme, construction) pairs that training must not contain, from those a pilot run produced."""
    random = Random(SEED + 1)
    names = list(CONSTRUCTIONS)
    counts: Counter[Pair] = Counter()
    usage: Counter[str] = Counter()
    for i in range(PILOT):
        counts.update(sorted(derive(random, lexicon, names[i % len(names)], usage).pairs()))
    chosen: set[Pair] = set()
    for name in names:
        candidates = sorted(pair for pair, count in counts.items() if pair[1] == name and 3 <= count <= 12)
        chosen.update(random.sample(candidates, min(HELD_OUT_PER_CONSTRUCTION, len(candidates))))
    return frozenset(chosen)


def corpus() -> tuple[dict[str, list[Sentence]], frozenset[Pair]]:
    """Derive all splits: distinct in every language, and held-out pairs in ``test_unseen`` only."""
    lexicon = Lexicon()
    held_out = held_out_pairs(lexicon)
    random = Random(SEED)
    names = list(CONSTRUCTIONS)
    seen: set[str] = set()
    usage: Counter[str] = Counter()
    regular: list[Sentence] = []
    unseen: list[Sentence] = []
    wanted = sum(SIZES.values()) - SIZES["test_unseen"]
    step = 0
    while len(regular) < wanted or len(unseen) < SIZES["test_unseen"]:
        sentence = derive(random, lexicon, names[step % len(names)], usage)
        step += 1
        texts = {sentence.de, sentence.en, sentence.zh}
        if texts & seen or not 3 <= len(sentence.en.split()) <= 16:
            continue
        pool, size = (unseen, SIZES["test_unseen"]) if sentence.pairs() & held_out else (regular, wanted)
        if len(pool) < size:
            seen |= texts
            pool.append(sentence)
    random.shuffle(regular)
    splits = {}
    for split in ("train", "valid", "test"):
        splits[split], regular = regular[: SIZES[split]], regular[SIZES[split] :]
    return {**splits, "test_unseen": unseen}, held_out


def files(splits: dict[str, list[Sentence]], held_out: frozenset[Pair]) -> dict[str, str]:
    """Lay the corpus out as parallel files, one sentence a line: name and content of each."""
    contents = {}
    for split, sentences in splits.items():
        columns = {
            "de": [sentence.de for sentence in sentences],
            "en": [sentence.en for sentence in sentences],
            "zh": [sentence.zh for sentence in sentences],
            "de-en.align": [sentence.de_en for sentence in sentences],
            "zh-en.align": [sentence.zh_en for sentence in sentences],
        }
        contents.update({f"{split}.{suffix}": "\n".join(lines) + "\n" for suffix, lines in columns.items()})
    contents["held_out.tsv"] = "".join(f"{lexeme}\t{construction}\n" for lexeme, construction in sorted(held_out))
    return contents


def write(folder: Path, contents: dict[str, str]) -> None:
    """Write files into a folder, making it if need be."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (folder / name).write_text(content, encoding="utf-8", newline="\n")


def main(arguments: list[str] | None = None) -> None:
    """Write the corpus into the folder named on the command line."""
    here = Path(__file__).parent
    parser = argparse.ArgumentParser(description="Write the sample corpus; the same files every time.")
    parser.add_argument("folder", nargs="?", type=Path, default=here, help="where to write; default: %(default)s")
    folder: Path = parser.parse_args(arguments).folder
    if folder.exists() and not folder.is_dir():
        parser.error(f"{folder} is a file, expected a folder; name a new or an existing folder")
    write(folder, files(*corpus()))


if __name__ == "__main__":
    main()
