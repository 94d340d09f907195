"""What goes on inside a model: the gates of its cells, its search as a tree, its attention over the training."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from s2s.errors import InputError
from s2s.model.recording import CellUpdate, recorded_cells
from s2s.report.beam_record import BeamTree, Branch, Fate
from s2s.report.beam_tree import write_beam_trees
from s2s.report.gallery import Gallery
from s2s.report.sheet import Panel, Sheet, View
from s2s.report.words import merge_pieces
from s2s.report.writers import numbered_pictures
from s2s.run import Run
from s2s.search.beam import BeamSearch, BeamStep
from s2s.text.batching import ParallelIds, SentenceIds
from s2s.text.tokenizer import EOS
from s2s.translator import Translation, Translator

if TYPE_CHECKING:
    from s2s.report.gates import CellTrace

__all__ = ["beam_tree", "cell_traces", "draw_cells", "evolution", "write_evolution", "write_trees"]


def draw_cells(
    translator: Translator,
    chunks: Iterable[tuple[Sequence[str], Sequence[str] | None]],
    path: str,
    *,
    say: Callable[[str], None],
) -> None:
    """Draw what the cells do for each source, pictures numbered where there are several sentences.

    Args:
        translator: any; of a language model lines are texts, which it reads.
        chunks: sources, and their targets or None to translate them.
        path: the picture.
        say: is told what a person should know of it.
    """
    _check_suffix(path, (".png", ".svg", ".pdf"), "view=gates draws a picture")
    from s2s.report.gates import draw_gates  # as matplotlib takes a while to import

    with numbered_pictures(Path(path), draw_gates, say) as add:
        for sources, targets in chunks:
            if not translator.reads_source:
                sources, targets = [""] * len(sources), sources
            for translation in translator(sources) if targets is None else translator.score(sources, targets):
                for part in translation.in_parts:
                    if part.has_words or (len(part.target_tokens) > 1 and not translator.reads_source):
                        add(cell_traces(translator, part))


def write_trees(translator: Translator, sources: Iterable[str], path: str, *, title: str) -> None:
    """Write the search of every sentence that has words as a tree, of one in parts each, all on one page.

    Of a language model lines are beginnings, and one may have no words.
    """
    _check_suffix(path, (".html",), "view=beam writes a page")
    _beam_of(translator)
    worded = (source for source in sources if source.strip() or not translator.reads_source)
    parts = (part for source in worded for part in translator.parts(source))
    write_beam_trees((beam_tree(translator, part) for part in parts), path, title=title)


def write_evolution(run: Run, path: str, *, level: str, say: Callable[[str], None]) -> None:
    """Write the attention of a run over its training as an animation, ``.gif``, or a page with a slider, ``.html``."""
    _check_suffix(path, (".gif", ".html"), "view=evolution writes an animation or a page")
    sheet = evolution(run)
    if path.endswith(".html"):
        with Gallery(path, title=f"Training of {run.folder.name}", frames=True) as gallery:
            gallery.add(sheet)
        return
    from s2s.report.animation import write_animation

    views = [panel.views[level] for panel in sheet.panels]
    if notice := write_animation(views, path, titles=[panel.title for panel in sheet.panels]):
        say(notice)


def _check_suffix(path: str, known: tuple[str, ...], what: str) -> None:
    """Raise an InputError for a file of another kind."""
    if not path.lower().endswith(known):
        raise InputError(f"{what}, got output={path}; give a file that ends in {' or '.join(known)}")


def cell_traces(translator: Translator, translation: Translation) -> "list[CellTrace]":
    """What every layer of the encoder and the decoder did while a translation's tokens were read and written."""
    model, target = translator.model, translator.rendering.target_ids(translation.target_tokens)
    pair = ParallelIds(SentenceIds.of(translator.source.encode([translation.source])), SentenceIds.of([target]))
    # The model itself reads the pair, as a search takes its cells' products elsewhere.
    with recorded_cells(model.eval()) as updates, torch.inference_mode():
        model(pair.batch([0]).to(translator.device))
    source = translation.source_tokens[::-1] if translator.model.encoder.reverse else translation.source_tokens
    read = {"encoder": source, "decoder": ("<s>", *translator.rendering.turned(translation.target_tokens)[:-1])}
    return [_trace(list(group), read) for _, group in groupby(sorted(updates, key=_place), key=_place)]


def _place(update: CellUpdate) -> tuple[bool, str, int, bool]:
    """Where a layer stands, encoder first; updates of one place stay in order, as sorting is stable."""
    return not update.recurrent.startswith("encoder"), update.recurrent, update.layer, update.reverse


def _trace(updates: list[CellUpdate], read: dict[str, tuple[str, ...]]) -> "CellTrace":
    """Put the updates of one layer side by side, in the order of the sentence."""
    from s2s.report.gates import CellTrace

    first = updates[0]
    side, _, part = first.recurrent.partition(".")
    named = [side, *([] if part == "recurrent" else [part.replace(".", " ")]), f"layer {first.layer + 1}"]
    in_order = updates[::-1] if first.reverse else updates
    values = {
        name: torch.cat([update.activations[name] for update in in_order]).float().cpu().numpy()
        for name in first.activations
    }
    return CellTrace(", ".join([*named, *(["backward"] if first.reverse else [])]), read[side], values)


def evolution(run: Run) -> Sheet:
    """How the attention of one validation pair came to be: a panel for every validation, under forced decoding.

    Raises:
        InputError: the run kept none.
    """
    moments = list(run.records(run.attention))
    if not moments:
        raise InputError(
            f"{run.folder} has no attention over its training; train with training.keep_attention=1, which keeps that "
            "of the first validation pair"
        )
    try:
        return Sheet(str(moments[0]["source"]), tuple(_moment(record) for record in moments))
    except (KeyError, TypeError, ValueError, ArithmeticError) as error:
        raise InputError(f"{run.attention} holds no translations ({error!r:.80}); copy the run again") from error


def _moment(record: Mapping[str, Any]) -> Panel:
    """A translation as it was kept at one validation."""
    pieces = View(
        tuple(map(str, record["source_tokens"])),
        tuple(map(str, record["target_tokens"])),
        np.array(record["attention"], dtype=np.float64),
        tuple(map(float, record["token_log_probs"])),
    )
    views = {"words": merge_pieces(pieces), "pieces": pieces}
    title, text = f"update {record['updates']:,}", str(record["text"])
    return Panel(title, text, float(record["score"]), float(record["log_prob"]), views)


def beam_tree(translator: Translator, source: str) -> BeamTree:
    """Search one sentence and keep every candidate of every step.

    Raises:
        InputError: the search is no beam search.
    """
    search = _beam_of(translator)
    steps: list[BeamStep] = []

    best = translator.using(partial(search, watch=steps.append))([source])[0]
    return BeamTree(
        source=source,
        steps=tuple(_branches(translator, steps, best)),
        beam_size=search.beam_size,
        length_penalty=search.length_penalty,
        coverage_penalty=search.coverage_penalty,
        winner_text=best.text,
    )


def _beam_of(translator: Translator) -> BeamSearch:
    """The beam search of a translator; raise an InputError where its candidates cannot be shown."""
    if not isinstance(translator.search, BeamSearch):
        raise InputError(f"view=beam needs a beam search, got {type(translator.search).__name__}; give search=beam")
    if translator.shortlist is not None:
        raise InputError("view=beam shows all words; leave shortlist= out")
    return translator.search


def _branches(translator: Translator, steps: list[BeamStep], best: Translation) -> Iterator[tuple[Branch, ...]]:
    """Every step's candidates as branches; rows of the beam become places among the candidates of the step before."""
    beam_size = _beam_of(translator).beam_size
    rows: list[int] = [-1]
    ended_best = [(len(best.target_tokens) - 1, best.score)]  # until it is found, as another may score the same
    for number, step in enumerate(steps):
        found = step.candidates
        possible = np.flatnonzero(np.isfinite(found.log_probs[0]))
        ended = found.tokens[0] == EOS
        scores = {ending.row: ending.score for ending in step.endings}
        going_on = [int(place) for place in possible if not ended[place]][:beam_size]
        branches = []
        for place in possible.tolist():
            row, counts = int(found.parents[0, place]), place < beam_size
            fate: Fate = "alive" if place in going_on else "pruned"
            if ended[place]:
                fate = "ended" if counts else "late"
                if counts and (number, scores[row]) in ended_best:
                    fate = "won"
                    ended_best.clear()
            branches.append(
                Branch(
                    parent=rows[row],
                    label=translator.target.pieces_of([int(found.tokens[0, place])])[0],
                    token_log_prob=float(found.token_log_probs[0, place]),
                    log_prob=float(found.log_probs[0, place]),
                    fate=fate,
                    score=scores[row] if ended[place] else None,
                )
            )
        rows = going_on
        yield tuple(branches)
