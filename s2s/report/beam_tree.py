"""Beam searches as trees on an interactive page: what lived, what fell off, and why the winner won."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from importlib.resources import files
from itertools import zip_longest
from pathlib import Path
from typing import Any

from s2s.report.beam_record import BeamTree, Branch, Ending
from s2s.report.page import open_page

__all__ = ["BeamTree", "Branch", "Note", "why", "write_beam_trees"]

Place = tuple[int, int]


@dataclass(frozen=True)
class Note:
    """A sentence on why the winner won.

    ``parts`` are by turns our words and what a translation says; ``branch`` is the (step, index) it speaks of, counted
    from 0, or None.
    """

    parts: tuple[str, ...]
    branch: Place | None = None

    def __str__(self) -> str:
        quoted = (f"“{part}”" if part else "(nothing)" for part in self.parts[1::2])
        return "".join(part for pair in zip_longest(self.parts[::2], quoted, fillvalue="") for part in pair)


def write_beam_trees(trees: Iterable[BeamTree], path: str | Path, *, title: str) -> None:
    """Write one page with a tree for each sentence, which are taken one by one.

    Raises:
        InputError: the file cannot be written.
    """
    template = files("s2s.report").joinpath("beam_tree.html").read_text(encoding="utf-8")
    with open_page(path, template, title=title) as page:
        for tree in trees:
            page.add(_as_dict(tree), summary=tree.source)


def why(tree: BeamTree) -> list[Note]:
    """Say in plain words why the winner won, and what was better on the way."""
    if tree.winner is None:
        return [Note(("Nothing ended, so nothing won.",))]
    notes = [_won(tree, tree.winner), *_runner_up(tree, tree.winner), _rank(tree, tree.winner)]
    notes += [_greedy(tree, tree.winner), *_too_late(tree, tree.winner)]
    alive = sum(branch.fate == "alive" for branch in tree.steps[-1])
    if alive and tree.beam_size > 1:
        were = "one beginning was" if alive == 1 else f"{alive} beginnings were"
        notes.append(
            Note(
                (f"The search stopped after step {len(tree.steps)}: {were} alive, but could score no better any more.",)
            )
        )
    return notes


def _won(tree: BeamTree, winner: Ending) -> Note:
    coverage = f", with {_number(winner.coverage)} for coverage" if tree.coverage_penalty else ""
    return Note(
        (
            "",
            winner.text,
            f" ended at step {winner.length} with log-probability {_number(winner.log_prob)}; divided by the length "
            f"penalty {_number(winner.length_penalty)}{coverage} this scores {_number(winner.score)}.",
        ),
        winner.branch,
    )


def _runner_up(tree: BeamTree, winner: Ending) -> list[Note]:
    others = [ending for ending in tree.endings if ending.counted and ending is not winner]
    if not others:
        return [Note(("Nothing else that ended counts.",))]
    second = others[0]
    words = f", which ended at step {second.length}, scores {_lower(winner.score - second.score)}."
    if second.log_prob > winner.log_prob:
        reason = "its length" if not tree.coverage_penalty else "length and coverage"
        words += (
            f" It is the more probable one, at {_number(second.log_prob)} against {_number(winner.log_prob)}; the "
            f"penalty for {reason} turned that round."
        )
    return [Note(("The runner-up, ", second.text, words), second.branch)]


def _rank(tree: BeamTree, winner: Ending) -> Note:
    """Where the winner stood at its worst, and what came of the one that was best there."""
    path = tree.path(*winner.branch)
    step = max(range(len(path)), key=lambda number: path[number])
    index = path[step]
    if index == 0:
        return Note(("At every step the winner was best.",))
    behind = sum(rank > 0 for rank in path)
    best, own = tree.steps[step][0], tree.steps[step][index]
    often = f" (it was best at {len(path) - behind} of its {len(path)} steps)" if behind > 1 else ""
    start = (
        f"At step {step + 1} the winner was only {_ordinal(index + 1)} best, at {_number(own.log_prob)}{often}; "
        f"best, at {_number(best.log_prob)}, was "
    )
    return Note((start, tree.text(step, 0), f", {_outcome(tree, step, 0, winner)}."), (step, 0))


def _greedy(tree: BeamTree, winner: Ending) -> Note:
    """What always taking the most probable piece would have written, as far as the beam followed it."""
    step, index = 0, 0
    while tree.steps[step][index].fate == "alive" and step + 1 < len(tree.steps):
        following = [place for place, branch in enumerate(tree.steps[step + 1]) if branch.parent == index]
        if not following:
            return Note(
                ("Greedy search would have begun ", tree.text(step, index), f", lost to the beam at step {step + 2}."),
                (step, index),
            )
        step, index = step + 1, following[0]
    place, branch = (step, index), tree.steps[step][index]
    if place == winner.branch:
        return Note(("Greedy search would have written the same.",), place)
    text = tree.text(*place)
    if branch.score is not None:
        score = f", which scores {_lower(winner.score - branch.score)}"
        late = ", but did not count here" if branch.fate == "late" else ""
        return Note(("Greedy search would have written ", text, f"{score}{late}."), place)
    if branch.fate == "alive":
        return Note(("Greedy search would have begun ", text, ", which was alive when the search stopped."), place)
    rank = f"{_ordinal(index + 1)} of {len(tree.steps[step])}"
    return Note(
        ("Greedy search would have begun ", text, f", which fell off the beam at step {step + 1} as {rank}."), place
    )


def _too_late(tree: BeamTree, winner: Ending) -> list[Note]:
    late = [ending for ending in tree.endings if not ending.counted]
    if not late or late[0].score <= winner.score:
        return []
    ending = late[0]
    end = (
        f", which ended at step {ending.length}, would score {_number(ending.score)}, but it was not among the best "
        f"{tree.beam_size} of that step and does not count."
    )
    return [Note(("", ending.text, end), ending.branch)]


def _outcome(tree: BeamTree, step: int, index: int, winner: Ending) -> str:
    """What became of a branch and of all that continues it."""

    def continues(number: int, place: int) -> bool:
        return number >= step and tree.path(number, place)[step] == index

    scores = [ending.score for ending in tree.endings if ending.counted and continues(*ending.branch)]
    if scores:
        whose = "which" if tree.steps[step][index].score is not None else "whose best ending"
        return f"{whose} scores {_lower(winner.score - max(scores))}"
    last = max(
        number
        for number, branches in enumerate(tree.steps)
        if any(branch.fate == "alive" and continues(number, place) for place, branch in enumerate(branches))
    )
    if last + 1 == len(tree.steps):
        return "which was still alive when the search stopped"
    return f"but all that continued it had fallen off the beam by step {last + 2}"


def _as_dict(tree: BeamTree) -> dict[str, Any]:
    """The tree in JSON's types, with what can be said about it; numbers rounded to six digits after the point."""
    return {
        "source": tree.source,
        "winner_text": tree.winner_text,
        "beam_size": tree.beam_size,
        "length_penalty": tree.length_penalty,
        "coverage_penalty": tree.coverage_penalty,
        "steps": [[_rounded(asdict(branch)) for branch in step] for step in tree.steps],
        "endings": [_rounded(asdict(ending)) for ending in tree.endings],
        "notes": [asdict(note) for note in why(tree)],
    }


def _rounded(record: dict[str, Any]) -> dict[str, Any]:
    return {name: round(value, 6) if isinstance(value, float) else value for name, value in record.items()}


def _number(value: float) -> str:
    return f"{value:z.3f}".replace("-", "−")


def _lower(difference: float) -> str:
    if difference == 0:
        return "the same, but the winner was found first"
    amount = f"{abs(difference):.3f}" if abs(difference) >= 0.001 else "less than 0.001"
    return f"{amount} {'lower' if difference > 0 else 'higher'}"


def _ordinal(rank: int) -> str:
    small = {1: "first", 2: "second", 3: "third", 4: "fourth", 5: "fifth"}
    ending = "th" if rank % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(rank % 10, "th")
    return small.get(rank, f"{rank}{ending}")
