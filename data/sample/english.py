"""English inflection: articles, verb forms and auxiliaries."""

import re

BE = {"ich": "am", "du": "are", "er": "is", "wir": "are"}
BE_PAST = {"ich": "was", "du": "were", "er": "was", "wir": "were"}
DOUBLING = re.compile(r"^[^aeiou]*[aeiou][bdgkmnprt]$")


def indefinite(following: str) -> str:
    """Choose ``a`` or ``an`` by the first sound of the following word."""
    return "an" if following[0] in "aeiou" or following.startswith("honest") else "a"


def third_person(base: str) -> str:
    """Add -s to the verb, not to its particle: ``tidy up`` -> ``tidies up``."""
    verb, _, particle = base.partition(" ")
    if verb == "have":
        form = "has"
    elif verb.endswith(("s", "x", "ch", "sh", "o")):
        form = verb + "es"
    elif verb.endswith("y") and verb[-2] not in "aeiou":
        form = verb[:-1] + "ies"
    else:
        form = verb + "s"
    return f"{form} {particle}".strip()


def present(base: str, who: str) -> str:
    """Conjugate in the present."""
    return third_person(base) if who == "er" else base


def gerund(base: str) -> str:
    """Form -ing: ``put on`` -> ``putting on``, ``take off`` -> ``taking off``."""
    verb, _, particle = base.partition(" ")
    if verb.endswith("e") and not verb.endswith("ee"):
        form = verb[:-1] + "ing"
    elif DOUBLING.match(verb):
        form = verb + verb[-1] + "ing"
    else:
        form = verb + "ing"
    return f"{form} {particle}".strip()


def do(who: str) -> str:
    """The auxiliary of questions and negation in the present."""
    return "does" if who == "er" else "do"


def have(who: str) -> str:
    """The auxiliary of the perfect."""
    return "has" if who == "er" else "have"
