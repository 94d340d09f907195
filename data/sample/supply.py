"""Sentences about running out of supplies, for language models: what is gone depends on a place several words before.

A kitchen runs out of cooking oil, never of petroleum. There are two realms, each with places and supplies of its own. A
row of the supplies holds one of either realm, of the same German gender and as many Chinese characters, so that the one
can stand in the other's place and nothing but the meaning is wrong. The three languages correspond line by line; there
is no alignment.
"""

from collections.abc import Iterator
from itertools import product
from random import Random
from typing import NamedTuple

import german
from clause import prepositional
from lexicon import Adverbial, Lexicon
from phrase import say, spaced_text

SEED = 2016
LEARNT_PER_FRAME = 60
CONTRASTS_PER_FRAME = 12


class Name(NamedTuple):
    """A place or a supply."""

    german: str
    gender: str
    english: str
    chinese: str


PLACES = (
    (
        Name("Küche", "f", "kitchen", "厨房"),
        Name("Restaurant", "n", "restaurant", "餐厅"),
        Name("Bäckerei", "f", "bakery", "面包店"),
        Name("Kantine", "f", "canteen", "食堂"),
        Name("Café", "n", "café", "咖啡馆"),
        Name("Hotel", "n", "hotel", "酒店"),
        Name("Gasthaus", "n", "inn", "客栈"),
    ),
    (
        Name("Fabrik", "f", "factory", "工厂"),
        Name("Kraftwerk", "n", "power plant", "发电厂"),
        Name("Raffinerie", "f", "refinery", "炼油厂"),
        Name("Hafen", "m", "harbour", "港口"),
        Name("Werft", "f", "shipyard", "造船厂"),
        Name("Gießerei", "f", "foundry", "铸造厂"),
        Name("Werkstatt", "f", "workshop", "车间"),
    ),
)
"""The places of either realm: of food, and of industry."""

SUPPLIES = (
    (Name("Speiseöl", "n", "cooking oil", "食油"), Name("Erdöl", "n", "petroleum", "石油")),
    (Name("Mehl", "n", "flour", "面粉"), Name("Benzin", "n", "petrol", "汽油")),
    (Name("Salz", "n", "salt", "食盐"), Name("Holz", "n", "wood", "木材")),
    (Name("Zucker", "m", "sugar", "白糖"), Name("Diesel", "m", "diesel", "柴油")),
    (Name("Reis", "m", "rice", "大米"), Name("Stahl", "m", "steel", "钢材")),
    (Name("Pfeffer", "m", "pepper", "胡椒"), Name("Zement", "m", "cement", "水泥")),
    (Name("Milch", "f", "milk", "牛奶"), Name("Kohle", "f", "coal", "煤炭")),
    (Name("Butter", "f", "butter", "黄油"), Name("Farbe", "f", "paint", "油漆")),
)
"""One supply of either realm a row."""

HELD_OUT = {("kitchen", "cooking oil"), ("refinery", "petroleum")}
"""Places and what they run out of in the contrasts only, so that a model has to put the two together."""

FRAMES = (
    ("", "{at} ist {the} {it} ausgegangen .", "the {place} has run out of {it} .", "{place}里的{it}用完了。"),
    (
        "",
        "{at} ist {the} {it} fast ausgegangen .",
        "the {place} has almost run out of {it} .",
        "{place}里的{it}快用完了。",
    ),
    (
        "",
        "{at} ist {the} {it} schon ausgegangen .",
        "the {place} has already run out of {it} .",
        "{place}里的{it}已经用完了。",
    ),
    (
        "",
        "{at} ist {the} {it} nicht ausgegangen .",
        "the {place} has not run out of {it} .",
        "{place}里的{it}没有用完。",
    ),
    ("", "ist {at} {the} {it} ausgegangen ?", "has the {place} run out of {it} ?", "{place}里的{it}用完了吗？"),
    ("", "{at} ist {no} {it} mehr .", "there is no {it} left in the {place} .", "{place}里没有{it}了。"),
    (
        "past",
        "{time} ist {at} {the} {it} ausgegangen .",
        "{time} the {place} ran out of {it} .",
        "{time}{place}里的{it}用完了。",
    ),
    (
        "past",
        "{at} ist {time} {the} {it} ausgegangen .",
        "the {place} ran out of {it} {time} .",
        "{place}里的{it}{time}用完了。",
    ),
    (
        "future",
        "{time} wird {at} {the} {it} ausgehen .",
        "{time} the {place} will run out of {it} .",
        "{time}{place}里的{it}会用完。",
    ),
    (
        "future",
        "{at} wird {time} {the} {it} ausgehen .",
        "the {place} will run out of {it} {time} .",
        "{place}里的{it}{time}会用完。",
    ),
    (
        "habit",
        "{time} geht {at} {the} {it} aus .",
        "{time} the {place} runs out of {it} .",
        "{time}{place}里的{it}都会用完。",
    ),
    (
        "habit",
        "{at} geht {time} {the} {it} aus .",
        "the {place} runs out of {it} {time} .",
        "{place}里的{it}{time}都会用完。",
    ),
)
"""Kind of time, if any, and the sentence in German, English and Chinese."""

Lines = tuple[str, str, str]


class Shortage(NamedTuple):
    """A place of a realm that runs out of the supply of that realm in a row, said in one of the frames."""

    frame: int
    time: Adverbial | None
    realm: int
    place: Name
    row: int

    def held_out(self) -> bool:
        """Whether only contrasts put this supply in this place."""
        return (self.place.english, SUPPLIES[self.row][self.realm].english) in HELD_OUT

    def lines(self, *, wrong: bool = False) -> Lines:
        """The sentence in three languages, of the supply of the realm or, when ``wrong``, of the other realm."""
        place, supply = self.place, SUPPLIES[self.row][self.realm ^ wrong]
        _, in_german, in_english, in_chinese = FRAMES[self.frame]
        preposition = prepositional("in", article("dative", place), (0, 0))
        words = {
            "at": " ".join([*(word.text for word in preposition), place.german]),
            "the": article("nominative", supply),
            "no": "kein" + german.ending("ein", "nominative", supply.gender, plural=False),
        }
        time = self.time or Adverbial("", "", "", "")
        return (
            spaced_text(say(in_german.format(**words, it=supply.german, time=time.german))),
            spaced_text(say(in_english.format(place=place.english, it=supply.english, time=time.english))),
            in_chinese.format(place=place.chinese, it=supply.chinese, time=time.chinese),
        )


def article(case: str, name: Name) -> str:
    """The definite article of a name in the singular."""
    return german.article(case, name.gender, plural=False)


def shortages(lexicon: Lexicon) -> Iterator[Shortage]:
    """Every sentence there is, those of a frame together."""
    for frame, (kind, *_) in enumerate(FRAMES):
        times = lexicon.by_kind[kind] if kind else [None]
        for time, realm, row in product(times, range(2), range(len(SUPPLIES))):
            for place in PLACES[realm]:
                yield Shortage(frame, time, realm, place, row)


def corpus(lexicon: Lexicon) -> tuple[list[Lines], list[tuple[Lines, Lines]]]:
    """Draw the sentences to learn from and contrasts (right, wrong) of other ones, of each frame equally many."""
    random = Random(SEED)
    pool = list(shortages(lexicon))
    random.shuffle(pool)
    learnt: list[Shortage] = []
    contrasted = [shortage for shortage in pool if shortage.held_out() and not shortage.time]
    for frame in range(len(FRAMES)):
        framed = [shortage for shortage in pool if shortage.frame == frame and not shortage.held_out()]
        learnt += framed[:LEARNT_PER_FRAME]
        contrasted += framed[LEARNT_PER_FRAME:][:CONTRASTS_PER_FRAME]
    random.shuffle(learnt)
    return [one.lines() for one in learnt], [(one.lines(), one.lines(wrong=True)) for one in contrasted]
