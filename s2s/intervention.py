"""Interfere with a translation: say how it begins, and where it must or must not look."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import replace as changed

import torch
from torch import Tensor

from s2s.errors import InputError
from s2s.inspection import Linking, panel
from s2s.report.sheet import Sheet
from s2s.report.words import EOS_PIECE, words
from s2s.search.begun import Begun
from s2s.search.hypothesis import Hypothesis, Request, Step
from s2s.text.tokenizer import UNK
from s2s.translator import Search, SearchState, Translation, Translator

__all__ = ["InterferedSearch", "interfere", "interfered_sheets", "replaced_word", "sight"]

PLACE = re.compile(r"([0-9]+):(.+)")


@dataclass(frozen=True)
class _Interfered:
    """A search state and the number of tokens written so far."""

    state: SearchState
    written: int

    def select(self, rows: Tensor) -> "_Interfered":
        """As the state it holds."""
        return changed(self, state=self.state.select(rows))

    def keep(self, sentences: Tensor) -> "_Interfered":
        """As the state it holds."""
        return changed(self, state=self.state.keep(sentences))


@dataclass(frozen=True)
class InterferedSearch:
    """A search of one sentence in whose steps somebody has a say; all else is the search's own.

    Args:
        search: any.
        prefix: the ids the target begins with. Their log-probabilities are the model's and count.
        visible: for some steps, counted from 0, which of the S source positions may be looked at.
    """

    search: Search
    prefix: tuple[int, ...]
    visible: Mapping[int, Sequence[bool]]

    def __call__(self, step: Step[SearchState], state: SearchState, request: Request) -> list[list[Hypothesis]]:
        """Search; see ``Search``."""

        def interfered(tokens: Tensor, before: _Interfered) -> tuple[Tensor, Tensor, _Interfered]:
            written, seen = before.written, self.visible.get(before.written)
            if seen is None:
                log_probs, attention, after = step(tokens, before.state)
                return log_probs, attention, _Interfered(after, written + 1)
            if not isinstance(before.state, SearchState):
                raise InputError("force= and forbid= are for one model that writes alone; leave search.lm= out")
            memory = before.state.memory
            limited = changed(memory, visible=torch.tensor([seen], device=tokens.device))
            log_probs, attention, after = step(tokens, changed(before.state, memory=limited))
            if attention.isnan().any():
                raise InputError(f"at step {written} the model's window holds no source position that is left in sight")
            return log_probs, attention, _Interfered(changed(after, memory=memory), written + 1)

        search = Begun(self.search, [self.prefix]) if self.prefix else self.search
        found = search(interfered, _Interfered(state, 0), request)
        if not found[0]:
            raise InputError(
                f"a prefix of {len(self.prefix)} pieces leaves nothing to write within the length limit; shorten it, "
                "or raise search.max_extra"
            )
        return found


def interfere(
    translator: Translator,
    source: str,
    *,
    prefix: str = "",
    force: Sequence[str] = (),
    forbid: Sequence[str] = (),
    n_best: int = 1,
) -> Translation:
    """Translate one sentence with a say in it.

    Args:
        translator: any, without a shortlist.
        source: the sentence.
        prefix: how the target begins.
        force: where it must look, as ``step:place``; see ``sight``.
        forbid: where it must not look, likewise.
        n_best: hypotheses wanted.

    Raises:
        InputError: a place that is not there, or nothing left to look at or to write.
    """
    if translator.shortlist is not None:
        raise InputError("a shortlist may lack the words of a prefix; leave shortlist= out to interfere")
    if translator.target.backwards:
        raise InputError("this run writes its targets backwards, so none begins as one says; take one that does not")
    begun = translator.target.encode([prefix])[0][:-1] if prefix else []
    if UNK in begun:
        raise InputError(f"prefix={prefix!r} has characters this run has no piece for; write it with others")
    if len(translator.parts(source)) > 1:
        raise InputError(f"{source[:40]!r}… is too long to be translated at once; cut it into sentences to interfere")
    pieces = translator.source.pieces(source)
    search = InterferedSearch(translator.search, tuple(begun), sight(pieces, force=force, forbid=forbid))
    return translator.using(search)([source], n_best=n_best)[0]


def interfered_sheets(
    translator: Translator,
    sources: Sequence[str],
    targets: None = None,
    *,
    prefix: str = "",
    replace: str = "",
    force: Sequence[str] = (),
    forbid: Sequence[str] = (),
    parts: bool = False,
    linking: Linking | None = None,
) -> Iterator[Sheet]:
    """Translations as they are beside those that somebody has a say in.

    Args:
        translator, prefix, force, forbid: as in ``interfere``.
        sources: sentences; one without words has no panel.
        replace: a word of the translation to change, as in ``replaced_word``.
        parts, linking: as in ``sheets``.

    Raises:
        InputError: what ``interfere`` and ``replaced_word`` refuse, or both a prefix and a word to replace.
    """
    if prefix and replace:
        raise InputError("prefix= and replace= both say how the translation begins; give one of them")
    for source in sources:
        (before,) = translator([source])
        if not before.has_words:
            yield Sheet(source, ())
            continue
        begun = replaced_word(before.text, replace) if replace else prefix
        after = interfere(translator, source, prefix=begun, force=force, forbid=forbid)
        links = linking([before, after]) if linking else [set(), set()]
        yield Sheet(
            source,
            (
                panel(translator, before, "as it is", parts=parts, links=links[0]),
                panel(translator, after, "with your say", parts=parts, links=links[1]),
            ),
        )


def sight(pieces: Sequence[str], *, force: Sequence[str] = (), forbid: Sequence[str] = ()) -> dict[int, list[bool]]:
    """Which source positions each step may look at, for the steps that somebody has a say in.

    Args:
        pieces: S source pieces.
        force, forbid: ``step:place``, the step counted from 0 in target pieces; the place is the number of a source
            piece, from 0, or a source word, which stands for all its pieces. Several of a step add up.

    Raises:
        InputError: something of another form, a place that is not there, or a step that may look at nothing.
    """
    forced, forbidden = _places(pieces, force, "force"), _places(pieces, forbid, "forbid")
    seen: dict[int, list[bool]] = {}
    for step in sorted({*forced, *forbidden}):
        wanted, barred = forced.get(step, set(range(len(pieces)))), forbidden.get(step, set())
        seen[step] = [place in wanted and place not in barred for place in range(len(pieces))]
        if not any(seen[step]):
            raise InputError(f"forbid= leaves step {step} nothing to look at; leave at least one source piece in sight")
    return seen


def _places(pieces: Sequence[str], given: Sequence[str], option: str) -> dict[int, set[int]]:
    """Read ``step:place`` items into the places of each step."""
    places: dict[int, set[int]] = {}
    for item in given:
        match = PLACE.fullmatch(str(item))
        if match is None:
            raise InputError(f"{option}={item} is no step and place; write step:number or step:word, as 2:0 or 2:Hund")
        step, place = int(match[1]), match[2]
        found = {int(place)} & set(range(len(pieces))) if place.isdecimal() else _pieces_of_word(pieces, place)
        if not found:
            shown = " ".join(f"{number}:{piece}" for number, piece in enumerate(pieces))
            raise InputError(f"{option}={item}: the source has no {place}; its pieces are {shown}")
        places.setdefault(step, set()).update(found)
    return places


def _pieces_of_word(pieces: Sequence[str], word: str) -> set[int]:
    """The places of all pieces that write a part of this word, wherever it stands."""
    pieces = [piece for piece in pieces if piece != EOS_PIECE]
    starts = [len("".join(pieces[:place])) for place in range(len(pieces) + 1)]
    text = "".join(pieces).replace("▁", " ")
    spans = [match.span() for match in re.finditer(rf"(?<!\w){re.escape(word)}(?!\w)", text)]
    spans = spans or [match.span() for match in re.finditer(re.escape(word), text)]
    return {
        place
        for place in range(len(pieces))
        if any(start < starts[place + 1] and starts[place] < end for start, end in spans)
    }


def replaced_word(text: str, change: str) -> str:
    """The beginning of a text up to the word that is changed, and the new word in its place.

    Args:
        text: a translation.
        change: ``number:word``, the number that of a word, counted from 0.

    Raises:
        InputError: something of another form, or no word of this number.
    """
    match = PLACE.fullmatch(change)
    spans = words(text)
    if match is None or int(match[1]) >= len(spans):
        shown = " ".join(f"{number}:{text[start:end]}" for number, (start, end) in enumerate(spans))
        raise InputError(f"replace={change} is no number and word; write number:word, of the words {shown}")
    return text[: spans[int(match[1])][0]] + match[2]
