"""What is shown of a sentence: every hypothesis of every model, its attention in all its parts, its links."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from s2s.errors import InputError
from s2s.model.recording import recorded_attention
from s2s.report.alignment import Link, hard_links, pharaoh, threshold_links
from s2s.report.sheet import Panel, Sheet
from s2s.report.symmetrise import METHODS, symmetrise
from s2s.report.words import merge_pieces
from s2s.translator import Translation, Translator

__all__ = ["Linking", "panel", "sheets"]


@dataclass(frozen=True)
class Linking:
    """How links between words are read off attention.

    Args:
        share, threshold: see ``hard_links`` and ``threshold_links``; the threshold goes first where there is one.
        backward: a translator of the other direction, whose links are joined with these; None for one direction.
        method: how they are joined; see ``symmetrise``.
    """

    share: float = 0.5
    threshold: float | None = None
    backward: Translator | None = None
    method: str = "grow-diag-final-and"

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise InputError(f"symmetrise={self.method} is unknown; expected one of {', '.join(METHODS)}")

    def __call__(self, translations: Sequence[Translation]) -> list[set[Link]]:
        """The links of each, (source, target)."""
        forward = [self._of(one) for one in translations]
        if self.backward is None:
            return forward
        texts, sources = [one.text for one in translations], [one.source for one in translations]
        turned = [{(i, j) for j, i in self._of(one)} for one in self.backward.score(texts, sources)]
        return [symmetrise(one, other, self.method) for one, other in zip(forward, turned, strict=True)]

    def _of(self, translation: Translation) -> set[Link]:
        if self.threshold is None:
            return hard_links(translation.words(), share=self.share)
        return threshold_links(translation.words(), threshold=self.threshold)


def sheets(
    translators: Mapping[str, Translator],
    sources: Sequence[str],
    targets: Sequence[str] | None = None,
    *,
    n_best: int = 1,
    batch_size: int = 64,
    parts: bool = False,
    linking: Linking | None = None,
) -> list[Sheet]:
    """Show sentences: a sheet each, with a panel for every hypothesis of every translator.

    Args:
        translators: by name, which the panels of several bear.
        sources: sentences; one without words has no panel, and one that is translated in parts has one for each.
        targets: of each a target to be shown in place of translations (forced decoding); None to translate.
        n_best: hypotheses of each translator.
        batch_size: sentences that are worked on together.
        parts: look closer, at heads and windows, which costs a forced decoding of each hypothesis.
        linking: how to link words; None leaves links out.
    """
    if targets is not None and n_best > 1:
        raise InputError(
            f"n_best={n_best} ranks translations, and a target leaves nothing to rank; leave one of them out"
        )
    panels: list[list[Panel]] = [[] for _ in sources]
    firsts = [Translation.empty(source) for source in sources]
    for number, (name, translator) in enumerate(translators.items()):
        if targets is None:
            found = translator(sources, n_best=n_best, batch_size=batch_size)
        else:
            found = translator.score(sources, targets, batch_size=batch_size)
        rows = [row for row, one in enumerate(found) if one.has_words]
        hypotheses = [(row, rank, one) for row in rows for rank, one in enumerate(found[row].hypotheses, 1)]
        pieces = [part for *_, one in hypotheses for part in one.in_parts]
        links = iter(linking(pieces) if linking else [set()] * len(pieces))
        for row, rank, one in hypotheses:
            title = " ".join([name] * (len(translators) > 1) + [str(rank)] * (n_best > 1))
            panels[row] += _panels(translator, one, title, parts=parts, links=links)
        firsts = firsts if number else found
    return [
        Sheet(source, tuple(shown), notes=(first.notice,) if first.notice else (), best=len(first.in_parts))
        for source, shown, first in zip(sources, panels, firsts, strict=True)
    ]


def _panels(
    translator: Translator, translation: Translation, title: str, *, parts: bool, links: Iterator[set[Link]]
) -> Iterator[Panel]:
    """A panel for each part of a hypothesis, given the links of each; their words are counted on from part to part."""
    several = len(translation.in_parts) > 1
    source_words = target_words = 0
    for number, part in enumerate(translation.in_parts, 1):
        heading = f"{title} part {number} of {len(translation.parts)}".strip() if several else title
        counted_on = {(i + source_words, j + target_words) for i, j in next(links)}
        shown = panel(translator, part, heading, parts=parts, links=counted_on)
        source_words += len(shown.views["words"].source) - 1
        target_words += len(shown.views["words"].target) - 1
        yield shown


def panel(
    translator: Translator,
    translation: Translation,
    title: str = "",
    *,
    parts: bool = False,
    links: Collection[Link] = (),
) -> Panel:
    """One hypothesis by words and by pieces; ``parts`` as in ``sheets``."""
    pieces = translation.pieces()
    if parts and translator.model.decoder.attention.has_parts:
        pieces = replace(pieces, parts=_attention_parts(translator, translation))
    views = {"words": merge_pieces(pieces), "pieces": pieces}
    return Panel(title, translation.text, translation.score, translation.log_prob, views, pharaoh(links))


def _attention_parts(translator: Translator, translation: Translation) -> dict[str, np.ndarray]:
    """What goes into the attention of a translation's tokens, by name, (T, S) each."""
    with recorded_attention(translator.model.decoder.attention) as parts:
        translator.score([translation.source], [translation.target_tokens])
    return {name: translator.rendering.turned(part.float().cpu().numpy()) for name, part in parts.items()}
