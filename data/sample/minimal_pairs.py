"""Write pairs of sentences, one right and one wrong, that differ in a word or two; and sentences about supplies.

A language model that has learnt the grammar of the sample corpus finds the right one of each pair likelier. Run
``python data/sample/minimal_pairs.py [folder]`` after ``generate.py``, whose files beside this one it reads; the folder
defaults to the one this file is in. The same seed writes the same bytes.
"""

import argparse
from collections import Counter
from pathlib import Path
from random import Random
from typing import NamedTuple

import chinese_flaws
import english_flaws
import generate
import german_flaws
import supply
import wrong_entries
from flaws import Derived, Flaw, derive
from lexicon import FOLDER, Lexicon
from phrase import WORD, Phrase, chinese_text, spaced_text

SEED = 2015
FIELDS = {"de": "german", "en": "english", "zh": "chinese"}
KNOWN = 10
"""How often the sentences to learn from contain each word of a pair."""


class Pair(NamedTuple):
    """What is wrong with the wrong one of two sentences, and both."""

    kind: str
    right: str
    wrong: str


def selection(language: str) -> Flaw:
    """The flaw of selection, which is one of all three languages, in one of them."""
    return lambda sentence: [getattr(meaning, FIELDS[language]) for meaning in wrong_entries.selection(sentence)]


FLAWS: dict[str, dict[str, tuple[int, Flaw]]] = {
    "de": {
        "agreement": (225, german_flaws.agreement),
        "gender": (225, wrong_entries.gender),
        "case": (225, german_flaws.case),
        "order": (225, german_flaws.order),
        "selection": (160, selection("de")),
    },
    "en": {
        "agreement": (300, english_flaws.agreement),
        "case": (300, english_flaws.case),
        "order": (300, english_flaws.order),
        "selection": (160, selection("en")),
    },
    "zh": {
        "classifier": (300, wrong_entries.classifier),
        "particle": (300, chinese_flaws.particle),
        "order": (300, chinese_flaws.order),
        "selection": (160, selection("zh")),
    },
}
"""The kinds of each language, how many pairs there are of each, without those about supplies, and the flaw."""


class Collection:
    """The pairs of one language, as many of each kind as wanted: unseen, distinct, and of known words only."""

    def __init__(self, language: str, supplies: list[str]) -> None:
        self.language = language
        self.pairs: list[Pair] = []
        self.missing = {kind: count for kind, (count, _) in FLAWS[language].items()}
        self.seen = {line for split in generate.SIZES for line in lines(f"{split}.{language}")} | set(supplies)
        learnt = lines(f"train.{language}") + supplies
        counts = Counter(word for line in learnt for word in WORD.findall(line))
        self.known = {word for word, count in counts.items() if count >= KNOWN}

    def spelt(self, words: Phrase) -> str:
        """The text of a phrase."""
        return chinese_text(words) if self.language == "zh" else spaced_text(words)

    def accepts(self, pair: Pair) -> bool:
        """Whether both sentences are new, of as many words, different, and of known words."""
        right, wrong = WORD.findall(pair.right), WORD.findall(pair.wrong)
        new = self.seen.isdisjoint((pair.right, pair.wrong))
        return new and pair.right != pair.wrong and len(right) == len(wrong) and self.known.issuperset(right + wrong)

    def consider(self, sentence: Derived, random: Random) -> None:
        """Make a pair of the sentence, of the kind that lacks most of those it can have."""
        words = getattr(sentence.meaning, FIELDS[self.language])
        for kind in sorted(self.missing, key=lambda kind: -self.missing[kind]):
            flawed = FLAWS[self.language][kind][1](sentence) if self.missing[kind] else []
            if not flawed:
                continue
            pair = Pair(kind, self.spelt(words), self.spelt(random.choice(flawed)))
            if self.accepts(pair):
                self.missing[kind] -= 1
                self.pairs.append(pair)
                self.seen |= {pair.right, pair.wrong}
                break


def lines(name: str) -> list[str]:
    """The lines of a file of the corpus."""
    return (FOLDER / name).read_text(encoding="utf-8").splitlines()


def collect(lexicon: Lexicon, supplies: dict[str, list[str]]) -> list[Collection]:
    """Derive sentences without held-out pairs of word and construction until no language lacks pairs."""
    collections = [Collection(language, supplies[language]) for language in FLAWS]
    held_out = {tuple(line.split("\t")) for line in lines("held_out.tsv")}
    random, names, step = Random(SEED), list(generate.CONSTRUCTIONS), 0
    while any(any(collection.missing.values()) for collection in collections):
        sentence = derive(f"{SEED} {step}", lexicon, names[step % len(names)])
        step += 1
        if held_out.isdisjoint((lexeme, sentence.construction) for lexeme in sentence.lexemes):
            for collection in collections:
                collection.consider(sentence, random)
    return collections


def files() -> dict[str, str]:
    """Lay out supplies and pairs: name and content of each file."""
    lexicon = Lexicon()
    learnt, contrasts = supply.corpus(lexicon)
    supplies = {language: [each[i] for each in learnt] for i, language in enumerate(FLAWS)}
    contents = {f"supply.{language}": "\n".join(column) + "\n" for language, column in supplies.items()}
    for i, collection in enumerate(collect(lexicon, supplies)):
        pairs = collection.pairs + [Pair("selection", right[i], wrong[i]) for right, wrong in contrasts]
        rows = [Pair("kind", "right", "wrong"), *sorted(pairs, key=lambda pair: pair.kind)]
        contents[f"minimal_pairs.{collection.language}.tsv"] = "".join("\t".join(row) + "\n" for row in rows)
    return contents


def main(arguments: list[str] | None = None) -> None:
    """Write pairs and supplies into the folder named on the command line."""
    parser = argparse.ArgumentParser(description="Write minimal pairs and supplies; the same files every time.")
    parser.add_argument("folder", nargs="?", type=Path, default=FOLDER, help="where to write; default: %(default)s")
    folder: Path = parser.parse_args(arguments).folder
    if folder.exists() and not folder.is_dir():
        parser.error(f"{folder} is a file, expected a folder; name a new or an existing folder")
    generate.write(folder, files())


if __name__ == "__main__":
    main()
