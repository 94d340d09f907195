"""German inflection: articles, adjective endings, nouns and verbs."""

from lexicon import Adjective, Noun, Verb

CASES = ("nominative", "accusative", "dative", "genitive")
# One row per case: masculine, feminine, neuter, plural; the endings of any German school grammar.
ENDINGS = {
    "der": (("er", "ie", "as", "ie"), ("en", "ie", "as", "ie"), ("em", "er", "em", "en"), ("es", "er", "es", "er")),
    "dies": (("er", "e", "es", "e"), ("en", "e", "es", "e"), ("em", "er", "em", "en"), ("es", "er", "es", "er")),
    "ein": (("", "e", "", "e"), ("en", "e", "", "e"), ("em", "er", "em", "en"), ("es", "er", "es", "er")),
    "weak": (("e", "e", "e", "en"), ("en", "e", "e", "en"), ("en", "en", "en", "en"), ("en", "en", "en", "en")),
    "mixed": (("er", "e", "es", "en"), ("en", "e", "es", "en"), ("en", "en", "en", "en"), ("en", "en", "en", "en")),
    "strong": (("er", "e", "es", "e"), ("en", "e", "es", "e"), ("em", "er", "em", "en"), ("en", "er", "en", "er")),
}
CONTRACTIONS = {
    ("in", "dem"): "im",
    ("an", "dem"): "am",
    ("zu", "dem"): "zum",
    ("zu", "der"): "zur",
    ("von", "dem"): "vom",
    ("in", "das"): "ins",
    ("an", "das"): "ans",
}
SEIN = {"ich": "bin", "du": "bist", "er": "ist", "wir": "sind"}
SEIN_PAST = {"ich": "war", "du": "warst", "er": "war", "wir": "waren"}
HABEN = {"ich": "habe", "du": "hast", "er": "hat", "wir": "haben"}
WERDEN = {"ich": "werde", "du": "wirst", "er": "wird", "wir": "werden"}
PRETERITES = {
    "schlafen": "schlief",
    "arbeiten": "arbeitete",
    "warten": "wartete",
    "spielen": "spielte",
    "tanzen": "tanzte",
    "singen": "sang",
    "lachen": "lachte",
    "weinen": "weinte",
    "reden": "redete",
    "beten": "betete",
    "rennen": "rannte",
    "frühstücken": "frühstückte",
    "fernsehen": "sah",
    "aufstehen": "stand",
    "einschlafen": "schlief",
    "aufwachen": "wachte",
    "ankommen": "kam",
    "zurückkommen": "kam",
    "ausgehen": "ging",
    "abreisen": "reiste",
    "weglaufen": "lief",
}
MODALS = {
    "können": "kann",
    "müssen": "muss",
    "wollen": "will",
    "dürfen": "darf",
    "sollen": "soll",
}


def ending(pattern: str, case: str, gender: str, *, plural: bool) -> str:
    """Look an ending up: ``ending("weak", "dative", "m", plural=False)`` -> ``en``."""
    column = 3 if plural else "mfn".index(gender)
    return ENDINGS[pattern][CASES.index(case)][column]


def article(case: str, gender: str, *, plural: bool) -> str:
    """The definite article."""
    return "d" + ending("der", case, gender, plural=plural)


def noun_form(noun: Noun, case: str, *, plural: bool) -> str:
    """Decline a noun: ``Kind`` -> ``Kindes``, ``Kindern``; ``Junge`` -> ``Jungen``."""
    if plural:
        add = case == "dative" and not noun.german_plural.endswith(("n", "s"))
        return noun.german_plural + ("n" if add else "")
    if noun.weak:
        return noun.german if case == "nominative" else noun.german_plural
    if case != "genitive" or noun.gender == "f":
        return noun.german
    short = sum(letter in "aeiouäöü" for letter in noun.german.lower()) == 1
    return noun.german + ("es" if short or noun.german.endswith(("s", "z")) else "s")


def adjective_form(adjective: Adjective, pattern: str, case: str, gender: str, *, plural: bool) -> str:
    """Decline an adjective after an article of the ``pattern``: weak, mixed or strong."""
    return adjective.stem + ending(pattern, case, gender, plural=plural)


def present(verb: Verb, who: str) -> str:
    """Conjugate in the present for ``who``: ich, du, er (any third person singular) or wir (any plural)."""
    if verb.german == "haben":
        return HABEN[who]
    if verb.german == "wissen" and who == "ich":
        return "weiß"
    if who == "er":
        return verb.third
    if who == "wir":
        return verb.infinitive
    if who == "ich":
        return first_person(verb.infinitive)
    stem = verb.third.removesuffix("t")
    return stem + ("t" if stem.endswith(("s", "ß", "z")) else "st")


def first_person(infinitive: str) -> str:
    """Conjugate for ich: ``kaufen`` -> ``kaufe``, ``füttern`` -> ``füttere``, ``streicheln`` -> ``streichle``."""
    if infinitive.endswith("eln"):
        return infinitive[:-3] + "le"
    return infinitive.removesuffix("n").removesuffix("e") + "e"


def modal(infinitive: str, who: str) -> str:
    """Conjugate a modal verb in the present."""
    if who == "wir":
        return infinitive
    singular = MODALS[infinitive]
    if who != "du":
        return singular
    return singular + ("t" if singular.endswith("s") else "st")


def auxiliary(verb: Verb, who: str) -> str:
    """The auxiliary of the perfect."""
    return (SEIN if verb.with_sein else HABEN)[who]


def with_zu(verb: Verb) -> str:
    """The infinitive with zu: ``zu lesen``, ``aufzumachen``."""
    return f"{verb.prefix}zu{verb.infinitive}" if verb.prefix else f"zu {verb.infinitive}"


def imperative(verb: Verb) -> str:
    """Ask someone familiar: ``mach``, ``lies``, ``schalte``, ``füttere``; without the separable prefix."""
    stem = verb.infinitive.removesuffix("n").removesuffix("e")
    third = verb.third.removesuffix("t")
    if third != stem and "i" in third and "e" in stem and not third.endswith("e"):
        return third
    form = first_person(verb.infinitive)
    return form if stem.endswith(("t", "d", "l", "r")) and form != stem else form.removesuffix("e")


def preterite(verb: Verb, who: str) -> str:
    """Conjugate in the preterite, without the separable prefix: ``kam``, ``schlief``, ``arbeiteten``."""
    form = PRETERITES[verb.german]
    if who == "wir":
        return form + ("n" if form.endswith("e") else "en")
    return form + "st" if who == "du" else form
