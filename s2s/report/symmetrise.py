"""One alignment out of two, of source to target and of target to source."""

from s2s.errors import InputError
from s2s.report.alignment import Link

__all__ = ["METHODS", "symmetrise"]

METHODS = ("intersection", "union", "grow-diag-final-and")
# Steps (source, target) from a link to its neighbours, in the order in which they are tried.
NEIGHBOURS = ((0, -1), (-1, 0), (0, 1), (1, 0), (-1, -1), (1, -1), (-1, 1), (1, 1))


def symmetrise(forward: set[Link], backward: set[Link], how: str) -> set[Link]:
    """Combine the links of two directions into one set between the links of both and those of either.

    ``intersection`` has the highest precision, ``union`` the highest recall (Och & Ney 2003). ``grow-diag-final-and``
    starts from the intersection, goes on from link to neighbouring link of the union as long as one of its two words
    has none yet (grow-diag: Koehn, Och & Marcu 2003, section 4), and last takes the forward and then the backward
    links of which both words have none (final-and: Koehn et al. 2005, section 2). What is taken depends on the order:
    links are visited by target word and then by source word.

    Args:
        forward: (source, target), as found from source to target.
        backward: the same sentence pair as found from target to source, each link still (source, target).
        how: one of ``METHODS``.

    Raises:
        InputError: an unknown method.
    """
    if how == "intersection":
        return forward & backward
    if how == "union":
        return forward | backward
    if how != "grow-diag-final-and":
        raise InputError(f"symmetrisation {how!r} is unknown; expected one of {', '.join(METHODS)}")
    return _final_and(_grow_diag(forward & backward, forward | backward), forward, backward)


def _grow_diag(links: set[Link], union: set[Link]) -> set[Link]:
    """Add neighbours of links, those of added links too, until a round over all adds none."""
    grown, before = set(links), -1
    sources, targets = _words(grown)
    order = _in_order(union)
    while len(grown) != before:
        before = len(grown)
        for source, target in order:
            if (source, target) not in grown:
                continue
            for source_step, target_step in NEIGHBOURS:
                near = (source + source_step, target + target_step)
                if near in union and not (near[0] in sources and near[1] in targets):
                    grown.add(near)
                    sources.add(near[0])
                    targets.add(near[1])
    return grown


def _final_and(links: set[Link], forward: set[Link], backward: set[Link]) -> set[Link]:
    """Add the links between words that have none on either side."""
    final = set(links)
    sources, targets = _words(final)
    for source, target in (*_in_order(forward), *_in_order(backward)):
        if source not in sources and target not in targets:
            final.add((source, target))
            sources.add(source)
            targets.add(target)
    return final


def _words(links: set[Link]) -> tuple[set[int], set[int]]:
    """The words that have a link: of the source, of the target."""
    return {source for source, _ in links}, {target for _, target in links}


def _in_order(links: set[Link]) -> list[Link]:
    """Links by target word and then by source word."""
    return sorted(links, key=lambda link: (link[1], link[0]))
