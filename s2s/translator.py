"""The public face of trained models: text in, text with score, tokens and attention out."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import copy
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
from omegaconf import DictConfig, OmegaConf

from s2s.building import build
from s2s.config import explicit_overrides
from s2s.decoding import Found, check_beginnings, continued, forced, in_order, searched, word_list
from s2s.errors import InputError
from s2s.fusion import Fusion, taken_out
from s2s.hub import fetched
from s2s.model.decoding_products import decoding_products
from s2s.model.ensemble import Ensemble, OneModel, SearchState, Writer
from s2s.model.product import products_by
from s2s.model.seq2seq import Seq2Seq
from s2s.onnx_writer import OnnxWriter, graphs_of
from s2s.run import Run, common_tokenizers, pick_device
from s2s.search.hypothesis import Search
from s2s.text.batching import ParallelIds, SentenceIds, collate, plan_batches
from s2s.text.cutting import cut
from s2s.text.shortlist import Shortlist
from s2s.text.tokenizer import Tokenizer
from s2s.translation import Rendering, Translation

__all__ = ["Reranker", "Search", "SearchState", "Translation", "Translator", "tell_progress"]

Done = TypeVar("Done", bound="Told")

WINDOW = 16  # batches that are sorted by length together, while a stream is read
SECONDS_BETWEEN_NOTICES = 5
HYPOTHESES_PER_SENTENCE = 8  # where more are wanted of each, a batch has fewer sentences
TOKENS_PER_SENTENCE = 64  # a batch holds at most this many source tokens for every sentence it may hold
LONGEST = 1000  # source pieces that are ever translated at once, so that memory suffices
LONGEST_GIVEN = 4096  # pieces of either side of a pair whose target is given
NEXT_PART = 1 << 40  # from the number of a line to those of its parts, which decide what is drawn for them


class Told(Protocol):
    """What a person may have to know something of."""

    @property
    def notice(self) -> str:
        """What that is, or nothing."""


class Reranker(Protocol):
    """What chooses among translations; see ``s2s.reranking``."""

    @property
    def candidates(self) -> int:
        """How many translations of each sentence it chooses among."""

    def __call__(self, translations: Sequence[Translation]) -> list[Translation]:
        """Bring each translation and its alternatives into an order, with a score, of its own."""


def _check_request(sentences: Iterable[object], batch_size: int) -> None:
    """Raise an InputError for one text instead of a list, whose letters would pass as sentences, and for no batch."""
    if isinstance(sentences, str):
        raise InputError(f"expected a list of sentences, got the text {sentences[:40]!r}; write [text]")
    if batch_size < 1:
        raise InputError(f"batch_size={batch_size} holds no sentence; give 1 or more")


def tell_progress(done: Iterable[Done], say: Callable[[str], None]) -> Iterator[Done]:
    """Pass what has been made of each line on; say what is to be known of a line, and now and then how many there were.

    Lines are counted from 1.
    """
    told = time.monotonic()
    for number, one in enumerate(done, 1):
        if one.notice:
            say(f"line {number:,}: {one.notice}")
        yield one
        if number % 100 == 0 and time.monotonic() - told > SECONDS_BETWEEN_NOTICES:
            told = time.monotonic()
            say(f"{number:,} lines translated")


class Translator:
    """A trained model, or several that translate together, with their tokenizers and a search.

    ``Translator.load("runs/x")(["Ein Mann schläft."])[0].text``; of a language model that is how a text goes on which
    begins so, and its ``score`` takes empty sources.

    Args:
        model: trained weights, used as they are, without dropout; several are an ``Ensemble``. Or exported graphs.
        source, target: tokenizers.
        search: beam search, greedy search or sampling.
        device: where to compute.
        precision: ``float32``, or ``int8``, which is faster on a CPU and rounds weights and states to 8 bits.
        workers: batches that are translated at the same time, each with its share of the threads; None is one for each
            thread on a CPU, where small products gain little from a second one, and one on a GPU.
        shortlist: which words a sentence may use; None for all.
        partners: target pieces for each source piece, where there is a shortlist.
        longest: source pieces that are translated at once; a longer line is cut into its sentences.

    Raises:
        InputError: a precision that is unknown or not to be had, or no worker.
    """

    def __init__(
        self,
        model: Seq2Seq | Sequence[Seq2Seq] | OnnxWriter,
        *,
        source: Tokenizer,
        target: Tokenizer,
        search: Search,
        device: torch.device,
        precision: str = "float32",
        workers: int | None = None,
        shortlist: Shortlist | None = None,
        partners: int = 0,
        longest: int = LONGEST,
    ) -> None:
        if workers is not None and workers < 1:
            raise InputError(f"workers={workers} would leave the work undone; give 1 or more, or null")
        graphs, model = (model, ()) if isinstance(model, OnnxWriter) else (None, model)
        self.models = (model,) if isinstance(model, Seq2Seq) else tuple(model)
        self.source = source
        self.target = target
        self.search = search
        self.device = device
        self.workers = workers
        self.shortlist, self.partners = shortlist, partners
        self.longest = longest
        self.reranker: Reranker | None = None
        self.rendering = Rendering(source, target)
        self._alone: Writer = graphs or (OneModel(self.models[0]) if len(self.models) == 1 else Ensemble(self.models))
        self._writer: Writer = self._alone
        # Reading a source is a small share of the time; it stays exact, and the same in batches of any size.
        layers = (
            weight
            for one in self.models
            for name, weight in one.encoder.named_parameters()
            if not name.startswith("embedding.")
        )
        self._products = decoding_products(device, precision, exact=layers)

    @classmethod
    def load(
        cls,
        run: str | Path | Run | Sequence[str | Path | Run],
        *,
        search: Search | None = None,
        device: str | None = None,
        precision: str = "float32",
        workers: int | None = None,
        shortlist: int | None = None,
        fusion: Fusion | None = None,
    ) -> "Translator":
        """Read a run folder, or several that are to translate together.

        Args:
            run: the folder, or folders of runs with the same tokenizers.
            search: another search than the one the (first) run was validated with.
            device: such as ``cpu`` or ``cuda``; None takes a GPU where there is one.
            precision, workers: as in ``Translator``.
            shortlist: target pieces to consider for each source piece, beside the most frequent; None for all. Several
                runs consider what any of them lists.
            fusion: a language model that has a say; None for none.

        Raises:
            InputError: several runs whose tokenizers differ, or graphs with what they have not got.
        """
        if shortlist is not None and shortlist < 1:
            raise InputError(f"shortlist={shortlist} leaves no word; give 1 or more, or null for all words")
        given = [run] if isinstance(run, str | Path | Run) else run
        runs = [one if isinstance(one, Run) else Run(one) for one in given]
        source, target = common_tokenizers(runs)
        graphs = graphs_of(runs, device=device, precision=precision)
        chosen, search = pick_device("cpu" if graphs else device), search or build(runs[0].config.search, "search")
        loaded = cls(
            graphs or [one.load_model(chosen) for one in runs],
            source=source,
            target=target,
            search=search,
            device=chosen,
            precision=precision,
            workers=workers,
            shortlist=None if shortlist is None else Shortlist.joined([one.shortlist() for one in runs], shortlist),
            partners=(shortlist or 0) * len(runs),
            # No model is asked for more than what it was trained on.
            longest=min(LONGEST, *(OmegaConf.select(one.config, "training.longest", default=LONGEST) for one in runs)),
        )
        return loaded if fusion is None else loaded.fused_by(fusion)

    @classmethod
    def from_pretrained(cls, name_or_path: str | Path, *, revision: str | None = None, **options: Any) -> "Translator":
        """Read a run that somebody has given away: its folder, or its name on the hub, ``owner/name``.

        Args:
            name_or_path: a folder goes before a name.
            revision: commit, branch or tag of the hub's run.
            options: as in ``load``.
        """
        folder = Path(name_or_path)
        return cls.load(folder if folder.is_dir() else fetched(str(name_or_path), revision=revision), **options)

    @classmethod
    def from_config(
        cls, config: DictConfig, run: Run | Sequence[Run], *, language_models: bool = False
    ) -> "Translator":
        """Read runs with the device and search that a command line asks for; what it leaves open is the first run's.

        Args:
            config: of the command.
            run: one or several.
            language_models: whether they will do, which have nothing to translate.

        Raises:
            InputError: a language model where none will do.
        """
        typed = explicit_overrides("search")
        for one in (runs := [run] if isinstance(run, Run) else run):
            if one.is_language_model and not language_models:
                raise InputError(
                    f"{one.folder} is a language model, which translates nothing; name a run that does, or use "
                    "s2s.sample or s2s.score"
                )
        first = runs[0]
        search = config.search if "search" in typed else first.config.search
        options = {name.removeprefix("search."): value for name, value in typed.items() if name != "search"}
        search, options, fusion = taken_out(search, options)
        for name, value in options.items():
            OmegaConf.update(search, name, value)
        setting = {name: config[name] for name in ("device", "precision", "workers", "shortlist")}
        return cls.load(run, search=build(search, "search"), fusion=fusion, **setting)

    @property
    def model(self) -> Seq2Seq:
        """The model.

        Raises:
            InputError: there are several, of which no one can be looked into, or graphs in its place.
        """
        if not self.models:
            raise InputError("exported graphs cannot be looked into; give the run that they were made of")
        if len(self.models) > 1:
            raise InputError(f"{len(self.models)} runs translate together, and only one can be looked into; give one")
        return self.models[0]

    @property
    def reads_source(self) -> bool:
        """Whether it translates; a language model goes on from beginnings of texts instead."""
        return all(one.reads_source for one in self.models)

    @property
    def has_attention(self) -> bool:
        """Whether any model looks at the source."""
        own = isinstance(self._alone, OnnxWriter) and self._alone.has_attention
        return own or any(one.decoder.attention.context_size for one in self.models)

    def using(self, search: Search) -> "Translator":
        """The same with another search."""
        other = copy(self)
        other.search = search
        return other

    def fused_by(self, fusion: Fusion) -> "Translator":
        """The same with a language model that has a say."""
        other = copy(self)
        other._writer = fusion.writer(self._alone, self.models, self.target, self.device)
        return other

    def reranked_by(self, reranker: Reranker) -> "Translator":
        """The same whose hypotheses are put in order by somebody else."""
        other = copy(self)
        other.reranker = reranker
        return other

    def __call__(
        self, sentences: Sequence[str], *, n_best: int = 1, batch_size: int = 64, first_row: int = 0
    ) -> list[Translation]:
        """Translate sentences: one translation each, in order; the batch size does not change them.

        Args:
            sentences: source sentences; one without words is translated by none, and one of more than ``longest``
                pieces in parts.
            n_best: hypotheses per sentence; those after the best are its ``alternatives``.
            batch_size: sentences that are worked on together.
            first_row: number of the first sentence in the whole of the input, which decides what is drawn for it.
        """
        _check_request(sentences, batch_size)
        lines = [self.parts(sentence) for sentence in sentences]
        texts = [text for parts in lines for text in parts]
        rows = [row + place * NEXT_PART for row, parts in enumerate(lines, first_row) for place in range(len(parts))]
        found = iter(self._best(texts, rows, n_best, batch_size))
        of_lines = [list(islice(found, len(parts))) for parts in lines]
        return [
            own[0] if len(own) == 1 else Translation.joined(sentence, own, n_best=n_best)
            for sentence, own in zip(sentences, of_lines, strict=True)
        ]

    def parts(self, sentence: str) -> list[str]:
        """The texts that are translated one by one for a sentence: itself, unless it is too long."""
        if not self.reads_source:
            return [sentence]
        # There are no more pieces than characters and the blank before them.
        if len(sentence) < self.longest or len(pieces := self.source.pieces(sentence)[:-1]) <= self.longest:
            return [sentence]
        return cut(pieces, self.longest)

    def _best(self, sentences: Sequence[str], rows: Sequence[int], n_best: int, batch_size: int) -> list[Translation]:
        """Translate, hypotheses in the order of the reranker, where there is one."""
        if self.reranker is None or n_best < 1:
            return self._translate(sentences, rows, n_best, batch_size)
        candidates = self._translate(sentences, rows, max(n_best, self.reranker.candidates), batch_size)
        return [replace(one, alternatives=one.alternatives[: n_best - 1]) for one in self.reranker(candidates)]

    def _translate(
        self, sentences: Sequence[str], rows: Sequence[int], n_best: int, batch_size: int
    ) -> list[Translation]:
        """Translate, hypotheses in the order of the search; ``rows`` are the sentences' numbers."""
        ids = self.source.encode(sentences)
        if not self.reads_source:
            check_beginnings(sentences, ids, self.target)
        translations = [Translation.empty(sentence) for sentence in sentences]
        worded = np.flatnonzero([len(sentence) > 1 or not self.reads_source for sentence in ids])
        lengths = np.array([len(ids[row]) for row in worded], dtype=np.int64)
        at_once = max(1, batch_size * HYPOTHESES_PER_SENTENCE // max(n_best, HYPOTHESES_PER_SENTENCE))
        plan = plan_batches(lengths, lengths, tokens=at_once * TOKENS_PER_SENTENCE, sentences=at_once)
        batches = [worded[batch] for batch in plan]

        def search(batch: np.ndarray) -> Found:
            return self._search([ids[place] for place in batch], [rows[place] for place in batch], n_best)

        workers = self.workers or (torch.get_num_threads() if self.device.type == "cpu" else 1)
        for batch, found in zip(batches, in_order(search, batches, workers=workers), strict=True):
            for place, hypotheses in zip(batch, found, strict=True):
                translations[place] = self.rendering.found(sentences[place], hypotheses)
        return translations

    def stream(self, lines: Iterable[str], *, n_best: int = 1, batch_size: int = 64) -> Iterator[Translation]:
        """Translate lines as they come, a window at a time, in order."""
        _check_request(lines, batch_size)
        waiting, row = iter(lines), 0
        while window := list(islice(waiting, WINDOW * batch_size)):
            yield from self(window, n_best=n_best, batch_size=batch_size, first_row=row)
            row += len(window)

    @torch.inference_mode()
    def score(
        self, sources: Sequence[str], targets: Sequence[str | Sequence[str]], *, batch_size: int = 64
    ) -> list[Translation]:
        """Score given targets (forced decoding): log-probabilities and attention, token by token.

        Log-probabilities and attention of a translation found by search are those of its tokens here.

        Args:
            sources: source sentences.
            targets: of each a text, or its pieces, such as the ``target_tokens`` of a translation.
            batch_size: pairs that are worked on together.

        Raises:
            InputError: unequal numbers of sources and targets, or a pair with more than ``LONGEST_GIVEN`` pieces.
        """
        _check_request(sources, batch_size)
        _check_request(targets, batch_size)
        if len(sources) != len(targets):
            raise InputError(f"{len(sources)} sources but {len(targets)} targets; give one target for every source")
        target_ids = SentenceIds.of([self.rendering.target_ids(target) for target in targets])
        pairs = ParallelIds(SentenceIds.of(self.source.encode(sources)), target_ids)
        longer = np.maximum(pairs.source.lengths, pairs.target.lengths)
        if len(longer) and longer.max() > LONGEST_GIVEN:
            row = int(longer.argmax())
            raise InputError(
                f"{longer[row]:,} pieces are too many for a pair whose target is given, at most {LONGEST_GIVEN:,}: "
                f"{sources[row][:40]!r}…; cut it into sentences"
            )
        scored: dict[int, Translation] = {}
        for model in self.models:
            model.eval()
        budget = batch_size * TOKENS_PER_SENTENCE
        for rows in plan_batches(pairs.source.lengths, pairs.target.lengths, tokens=budget, sentences=batch_size):
            with products_by(self._products):
                found = list(forced(self._writer, pairs.batch(rows.tolist()).to(self.device)))
            for row, log_probs, attention in found:
                scored[row] = self.rendering.scored(sources[row], targets[row], log_probs, attention)
        return [scored[row] for row in range(len(sources))]

    @torch.inference_mode()
    def _search(self, ids: list[list[int]], rows: Sequence[int], n_best: int) -> Found:
        """Search translations of one batch of sources; a language model goes on from them."""
        for model in self.models:
            model.eval()
        if not self.reads_source:
            with products_by(self._products):
                return continued(self._writer, ids, self.search, rows=rows, n_best=n_best, device=self.device)
        source = collate(ids).to(self.device)
        listed = word_list(source, self.shortlist, self.partners) if self.shortlist else None
        with products_by(self._products):
            return searched(self._writer, source, self.search, rows=rows, n_best=n_best, listed=listed)
