"""The lexicon: nouns, verbs, adjectives and adverbials of three languages, read from the tables beside this file."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

FOLDER = Path(__file__).parent
GENDERS = {"der": "m", "die": "f", "das": "n"}


@dataclass(frozen=True)
class Where:
    """How one says that something is at a place or goes to it."""

    german_at: str
    german_to: str
    english_at: str
    localizer: str


@dataclass(frozen=True, eq=False)
class Noun:
    """A noun; ``weak`` German nouns take their plural form outside the nominative singular."""

    german: str
    gender: str
    weak: bool
    german_plural: str
    english: str
    english_plural: str
    chinese: str
    classifier: str
    classes: frozenset[str]
    where: Where | None


@dataclass(frozen=True, eq=False)
class Verb:
    """A verb: principal parts, its ``kind`` of clause, and the classes of nouns it takes as object."""

    german: str
    prefix: str
    third: str
    participle: str
    with_sein: bool
    english: str
    past: str
    english_participle: str
    chinese: str
    tail: str
    kind: str
    objects: frozenset[str]

    @property
    def infinitive(self) -> str:
        """The German infinitive without its separable prefix."""
        return self.german.removeprefix(self.prefix)


@dataclass(frozen=True, eq=False)
class Adjective:
    """An adjective, the classes of nouns it describes, and whether it stands before a noun, after a copula or both."""

    german: str
    stem: str
    comparative: str
    english: str
    english_comparative: str
    chinese: str
    particle: str
    classes: frozenset[str]
    attribute: bool
    predicate: bool


@dataclass(frozen=True, eq=False)
class Adverbial:
    """A fixed expression of one ``kind``: a time, a manner, a degree, a number, a modal verb or a proper name."""

    german: str
    english: str
    chinese: str
    kind: str


Lexeme = Noun | Verb | Adjective | Adverbial


def rows(name: str) -> list[list[str]]:
    """Read a table: one entry a line, columns between bars, ``#`` before a remark."""
    lines = (FOLDER / name).read_text(encoding="utf-8").splitlines()
    return [[cell.strip() for cell in line.split("|")] for line in lines if line.strip() and not line.startswith("#")]


def english_plural(singular: str) -> str:
    """Form the regular plural: ``box`` -> ``boxes``."""
    if singular.endswith(("s", "x", "ch", "sh")):
        return singular + "es"
    if singular.endswith("y") and singular[-2] not in "aeiou":
        return singular[:-1] + "ies"
    return singular + "s"


def english_past(base: str) -> str:
    """Form the regular past of a verb, its particle left in place: ``tidy up`` -> ``tidied up``."""
    verb, _, particle = base.partition(" ")
    if verb.endswith("e"):
        past = verb + "d"
    elif verb.endswith("y") and verb[-2] not in "aeiou":
        past = verb[:-1] + "ied"
    elif verb in {"hug"}:
        past = verb + verb[-1] + "ed"
    else:
        past = verb + "ed"
    return f"{past} {particle}".strip()


def noun(cells: list[str]) -> Noun:
    """Read one row of the nouns."""
    article, german = cells[0].split()
    singular, _, plural = cells[2].partition("/")
    where = Where(*(part.replace("-", "") for part in cells[6].split())) if len(cells) > 6 else None
    return Noun(
        german=german,
        gender=GENDERS[article.rstrip("~")],
        weak=article.endswith("~"),
        german_plural=cells[1],
        english=singular,
        english_plural=plural or english_plural(singular),
        chinese=cells[3],
        classifier=cells[4],
        classes=frozenset(cells[5].split()),
        where=where,
    )


def verb(cells: list[str]) -> Verb:
    """Read one row of the verbs."""
    prefix, _, _ = cells[0].rpartition("·")
    english = cells[3].split("/")
    past = english[1] if len(english) > 1 else english_past(english[0])
    chinese, _, tail = cells[4].partition("·")
    return Verb(
        german=cells[0].replace("·", ""),
        prefix=prefix,
        third=cells[1],
        participle=cells[2].removeprefix("s:"),
        with_sein=cells[2].startswith("s:"),
        english=english[0],
        past=past,
        english_participle=english[2] if len(english) > 2 else past,
        chinese=chinese,
        tail=tail,
        kind=cells[5],
        objects=frozenset(cells[6].split()),
    )


def adjective(cells: list[str]) -> Adjective:
    """Read one row of the adjectives."""
    german, _, stem = cells[0].partition("/")
    english, _, comparative = cells[2].partition("/")
    chinese, _, particle = cells[3].partition("·")
    return Adjective(
        german=german,
        stem=stem or german,
        comparative=cells[1].replace("-", ""),
        english=english,
        english_comparative=comparative,
        chinese=chinese,
        particle=particle,
        classes=frozenset(cells[4].split()),
        attribute=cells[5] != "predicate",
        predicate=cells[5] != "attribute",
    )


class Lexicon:
    """All entries, and the pools that rules choose from."""

    def __init__(self) -> None:
        self.nouns = [noun(cells) for cells in rows("nouns.txt")]
        self.verbs = [verb(cells) for cells in rows("verbs.txt")]
        self.adjectives = [adjective(cells) for cells in rows("adjectives.txt")]
        self.adverbials = [Adverbial(*cells) for cells in rows("adverbials.txt")]
        self.nouns_by_classes: dict[frozenset[str], list[Noun]] = {}
        self.adjectives_by_noun: dict[tuple[Noun, bool], list[Adjective]] = {}

    @cached_property
    def by_kind(self) -> dict[str, list[Adverbial]]:
        """Adverbials of each kind."""
        kinds = dict.fromkeys(entry.kind for entry in self.adverbials)
        return {kind: [entry for entry in self.adverbials if entry.kind == kind] for kind in kinds}

    @cached_property
    def verbs_by_kind(self) -> dict[str, list[Verb]]:
        """Verbs of each kind of clause."""
        kinds = dict.fromkeys(entry.kind for entry in self.verbs)
        return {kind: [entry for entry in self.verbs if entry.kind == kind] for kind in kinds}

    def nouns_of(self, classes: frozenset[str]) -> list[Noun]:
        """Nouns that belong to any of the classes."""
        if classes not in self.nouns_by_classes:
            self.nouns_by_classes[classes] = [entry for entry in self.nouns if entry.classes & classes]
        return self.nouns_by_classes[classes]

    def adjectives_for(self, entry: Noun, *, attribute: bool) -> list[Adjective]:
        """Adjectives that describe a noun, before it (``attribute``) or after a copula."""
        if (entry, attribute) not in self.adjectives_by_noun:
            self.adjectives_by_noun[entry, attribute] = [
                adjective
                for adjective in self.adjectives
                if adjective.classes & entry.classes and (adjective.attribute if attribute else adjective.predicate)
            ]
        return self.adjectives_by_noun[entry, attribute]
