"""A look at a whole corpus before training: what it holds, what speaks against it, and a copy without that."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from s2s.errors import InputError
from s2s.text.cleaning import CleanCopy
from s2s.text.corpus import SYNONYMS, Corpus
from s2s.text.findings import Norms, condemned, findings, norms_of, overlap
from s2s.text.measures import Measures, measure
from s2s.text.opened import OpenedSplit, excerpt
from s2s.text.scripts import SCRIPTS

__all__ = ["examine"]

TRAINING = ("train", "extra")
SHOWN = 3  # pairs of each finding
LEAST_SHARE = 0.001  # of letters: a script that is shown

Mask = NDArray[np.bool_]
Say = Callable[[str], None]


@dataclass(frozen=True)
class Judged:
    """A split with what speaks against its pairs.

    Args:
        split: to be read again.
        measures: of its pairs.
        oddities: of its files, in JSON's types.
        found: which pairs each finding is about.
        partners: for findings about another split, the row there that belongs to each pair.
        left_out: which pairs the copy does without, by the reason.
        unwritten: why the copy has no such split; None where it has.
    """

    split: OpenedSplit
    measures: Measures
    oddities: list[dict[str, Any]]
    found: dict[str, Mask]
    partners: dict[str, NDArray[np.int64]]
    left_out: dict[str, Mask]
    unwritten: str | None

    @property
    def kept(self) -> Mask:
        """Which pairs the copy has."""
        kept: Mask = ~np.any(list(self.left_out.values()), axis=0)
        return kept


def examine(corpus: Corpus, *, clean: str | None, say: Say) -> dict[str, Any]:
    """Examine every split, and write a copy without what was found.

    Training pairs alone are left out for a finding. Pairs that are translated to be scored stay as they are, unless
    they cannot be read or cannot be a line of a file.

    Args:
        corpus: where the pairs are.
        clean: a new folder for the copy; None for none.
        say: takes progress.

    Returns:
        what was counted and found, in JSON's types.

    Raises:
        InputError: there is no such corpus, or the copy cannot be written.
    """
    copy = CleanCopy(clean, (corpus.source, corpus.target)) if clean else None
    opened, unreadable = _read(corpus, say)
    norms = norms_of([measures for _, measures, *_ in opened])
    judged = _judge(opened, norms)
    found = [record for one in judged for record in _look_again(one, corpus, copy, say)]
    refused = [{"split": one["split"], "kept": 0, "left_out": {}, "unwritten": "unreadable"} for one in unreadable]
    return {
        "corpus": corpus.label,
        "source": corpus.source,
        "target": corpus.target,
        "length_ratio": round(norms.ratio, 4),
        "splits": [_counts(one) for one in judged],
        "overlap": [shared for one in judged for shared in _overlap_counts(one)],
        "findings": [*unreadable, *found],
        "clean": {"folder": clean, "splits": [*refused, *map(_kept_counts, judged)]},
    }


Opened = tuple[OpenedSplit, Measures, list[dict[str, Any]], bool]


def _read(corpus: Corpus, say: Say) -> tuple[list[Opened], list[dict[str, Any]]]:
    """Measure every split that can be read; say of each other why it cannot."""
    names, others = _names(corpus)
    if others:
        say(f"not looked at: {', '.join(others)}; data.test=FILE looks at one of them")
    opened: list[Opened] = []
    unreadable = []
    for name in names:
        # A file that is named and not there is a mistake of the person and no finding; so is a limit of nothing.
        corpus.files(name)
        corpus.most_pairs(name)
        try:
            split = OpenedSplit(corpus, name)
            measures = measure(split.pairs("read", say))
        except InputError as error:
            unreadable.append({"finding": "unreadable", "split": name, "count": 1, "message": str(error), "first": []})
            continue
        opened.append((split, measures, split.oddities(), split.aligned))
    return opened, unreadable


def _names(corpus: Corpus) -> tuple[list[str], list[str]]:
    """The splits to look at, training pairs first, and what else lies beside them; ``test_2017`` is a test split."""
    held_out = SYNONYMS["valid"] + SYNONYMS["test"]
    found = corpus.splits() or ["train"]  # to ask for which says that there is none
    names = [name for name in found if name == "train" or name.startswith(held_out)] or ["train"]
    others = [name for name in found if name not in names and name != "extra"]
    return [*names, *["extra"] * (corpus.extra is not None)], others


def _judge(opened: list[Opened], norms: Norms) -> list[Judged]:
    """Find what speaks against the pairs of every split, by themselves and for what stands in other splits."""
    measured = {split.name: measures for split, measures, *_ in opened}
    judged = []
    for split, measures, oddities, aligned in opened:
        found = findings(measures, norms)
        partners: dict[str, NDArray[np.int64]] = {}
        if split.name in TRAINING:
            shared = np.zeros(len(measures), bool)
            for name, other in measured.items():
                if name not in TRAINING:
                    shared |= overlap(measures, other).masks["sources"]
            left_out = condemned(found, shared)
        else:
            for name in [name for name in TRAINING if name in measured]:
                common = overlap(measures, measured[name])
                found |= {f"{what}_in_{name}": mask for what, mask in common.masks.items()}
                partners |= {f"{what}_in_{name}": rows for what, rows in common.rows.items()}
            lost = found["not_utf8"]
            left_out = {"not_utf8": lost, "line_break": measures.unwritable.any(axis=1) & ~lost}
        nothing_left = "nothing_left" if bool(np.any(list(left_out.values()), axis=0).all()) else None
        unwritten = nothing_left if aligned else "not_aligned"
        judged.append(Judged(split, measures, oddities, found, partners, left_out, unwritten))
    return judged


def _look_again(one: Judged, corpus: Corpus, copy: CleanCopy | None, say: Say) -> list[dict[str, Any]]:
    """Read a split again for the pairs that are shown and the copy; return what was found in it."""
    first = {name: np.flatnonzero(mask)[:SHOWN].tolist() for name, mask in one.found.items()}
    wanted = {row for rows in first.values() for row in rows}
    shown: dict[int, dict[str, Any]] = {}
    writing, kept = copy is not None and one.unwritten is None, one.kept
    links = _word_links(corpus, one, say) if writing else None
    last = len(kept) if writing else max(wanted, default=-1) + 1
    with ExitStack() as stack:
        files = stack.enter_context(copy.split(one.split.name, linked=links is not None)) if copy and writing else ()
        pairs = one.split.pairs("written" if writing else "looked through", say)
        for row, (source, target) in zip(range(last), pairs, strict=False):
            if row in wanted:
                shown[row] = {"line": row + 1, "source": excerpt(source), "target": excerpt(target)}
            if writing and kept[row]:
                assert isinstance(source, str)
                assert isinstance(target, str)  # lines that are not are left out
                for file, text in zip(files, (source, target, *([links[row]] if links else [])), strict=True):
                    file.write(f"{text}\n")
    records = []
    for name, rows in first.items():
        examples, there = [shown[row] for row in rows], one.partners.get(name)
        if there is not None:
            examples = [{**shown[row], "line_there": int(there[row]) + 1} for row in rows]
        count = int(one.found[name].sum())
        records.append({"finding": name, "split": one.split.name, "count": count, "first": examples})
    return [*one.oddities, *(record for record in records if record["count"])]


def _word_links(corpus: Corpus, one: Judged, say: Say) -> list[str] | None:
    """The gold word links of a split, which the copy has, too; None where there are none that fit."""
    try:
        links = corpus.alignments(one.split.name)
    except InputError as error:
        say(f"word links of {one.split.name} are left out of the copy: {error}")
        return None
    if links is not None and len(links) != len(one.measures):
        say(f"word links of {one.split.name} are left out of the copy: {len(links)} for {len(one.measures)} pairs")
        return None
    return links


def _counts(one: Judged) -> dict[str, Any]:
    """How many pairs a split has, how long they are and how they are written."""
    sides = ("source", "target")
    letters = one.measures.script_letters
    scripts = []
    for side in range(2):
        shares = letters[side] / max(letters[side].sum(), 1)
        order = [number for number in np.argsort(-shares, kind="stable") if shares[number] >= LEAST_SHARE]
        scripts.append({SCRIPTS[number]: round(float(shares[number]), 4) for number in order})
    mean = one.measures.sizes.mean(axis=0).round(2).tolist() if len(one.measures) else [0.0, 0.0]
    return {
        "split": one.split.name,
        "pairs": len(one.measures),
        "characters": dict(zip(sides, mean, strict=True)),
        "scripts": dict(zip(sides, scripts, strict=True)),
    }


def _overlap_counts(one: Judged) -> list[dict[str, Any]]:
    """How much of a split stands in each training split, too."""
    others = dict.fromkeys(name.partition("_in_")[2] for name in one.partners)
    counts = {name: int(one.found[name].sum()) for name in one.partners}
    return [
        {"split": one.split.name, "with": other}
        | {what: counts[f"{what}_in_{other}"] for what in ("pairs", "sources", "targets")}
        for other in sorted(others, key=TRAINING.index)
    ]


def _kept_counts(one: Judged) -> dict[str, Any]:
    """How many pairs of a split the copy has, and why it does without the others."""
    left_out = {name: int(mask.sum()) for name, mask in one.left_out.items() if mask.any()}
    kept = 0 if one.unwritten == "not_aligned" else int(one.kept.sum())
    return {"split": one.split.name, "kept": kept, "left_out": left_out, "unwritten": one.unwritten}
