"""The public face of a trained model: text in, text with score, tokens and attention out."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from s2s.config import build, explicit_overrides
from s2s.errors import InputError
from s2s.model.attention import Memory
from s2s.model.decoder import DecoderState
from s2s.model.decoding_products import decoding_products
from s2s.model.product import products_by
from s2s.model.readout import Words
from s2s.model.seq2seq import Seq2Seq
from s2s.report.sheet import View
from s2s.report.words import merge_pieces
from s2s.run import Run, pick_device
from s2s.search.hypothesis import Hypothesis, Step
from s2s.text.batching import Batch, ParallelIds, SentenceIds, Sequences, collate, plan_batches
from s2s.text.shortlist import Shortlist
from s2s.text.tokenizer import BOS, EOS, PAD, UNK, Tokenizer

__all__ = ["Search", "Translation", "Translator", "tell_progress"]

Found = list[list[Hypothesis]]
Done = TypeVar("Done")

WINDOW = 16  # batches that are sorted by length together, while a stream is read
SECONDS_BETWEEN_NOTICES = 5
TOKENS_PER_SENTENCE = 64  # a batch holds at most this many source tokens for every sentence it may hold


class Search(Protocol):
    """What a search looks like from here; see ``s2s.search``."""

    def __call__(
        self,
        step: Step["SearchState"],
        state: "SearchState",
        source_lengths: Tensor,
        *,
        n_best: int = 1,
        bos: int,
        eos: int,
        forbidden: Sequence[int] = (),
        rows: Sequence[int] | None = None,
    ) -> list[list[Hypothesis]]:
        """Return the best hypotheses of every sentence."""


@dataclass(frozen=True)
class Translation:
    """One translation. Labels and matrix go together: ``attention`` is (target tokens, source tokens).

    ``score`` is what hypotheses are ranked by, ``log_prob`` the model's log-probability, natural logarithm, summed
    over ``token_log_probs``. Tokens are pieces, the end mark included. ``finished`` is False where the length limit
    ended it. ``alternatives`` are the other hypotheses, best first. An empty source has no tokens.
    """

    source: str
    text: str
    score: float
    log_prob: float
    source_tokens: tuple[str, ...]
    target_tokens: tuple[str, ...]
    token_log_probs: tuple[float, ...]
    attention: np.ndarray
    finished: bool = True
    alternatives: tuple["Translation", ...] = ()

    @classmethod
    def empty(cls, source: str) -> "Translation":
        """The translation of a line without words: no words."""
        return cls(source, "", 0.0, 0.0, (), (), (), np.zeros((0, 0), np.float32))

    def as_dict(self) -> dict[str, object]:
        """Everything in JSON's types; attention is a list of rows, one per target token."""
        fields: dict[str, object] = dict(vars(self))
        fields["attention"] = [[round(float(weight), 6) for weight in row] for row in self.attention]
        fields["alternatives"] = [one.as_dict() for one in self.alternatives]
        return fields

    def pieces(self) -> View:
        """Attention between pieces.

        Raises:
            InputError: the model looks at nothing.
        """
        if self.source_tokens and not self.attention.shape[1]:
            raise InputError("a model without attention (model/attention=none) has none to show; take another run")
        return View(self.source_tokens, self.target_tokens, self.attention, self.token_log_probs)

    def words(self) -> View:
        """Attention between words."""
        return merge_pieces(self.pieces())

    def draw(self, path: str | Path) -> str:
        """Draw a heatmap, ``.png``, ``.svg`` or ``.pdf``; return what a person should know of it, if anything.

        Raises:
            InputError: the model looks at nothing, so there is nothing to draw.
        """
        from s2s.report.heatmap import draw_heatmap

        return draw_heatmap(self.pieces(), path)


def _check_request(sentences: Iterable[object], batch_size: int) -> None:
    """Raise an InputError for one text instead of a list, whose letters would pass as sentences, and for no batch."""
    if isinstance(sentences, str):
        raise InputError(f"expected a list of sentences, got the text {sentences[:40]!r}; write [text]")
    if batch_size < 1:
        raise InputError(f"batch_size={batch_size} holds no sentence; give 1 or more")


def tell_progress(done: Iterable[Done], say: Callable[[str], None]) -> Iterator[Done]:
    """Pass what has been made of each line on, and say every few seconds how many lines there have been."""
    told = time.monotonic()
    for number, one in enumerate(done, 1):
        yield one
        if number % 100 == 0 and time.monotonic() - told > SECONDS_BETWEEN_NOTICES:
            told = time.monotonic()
            say(f"{number:,} lines translated")


@dataclass(frozen=True)
class SearchState:
    """The decoder's rows beside the memory of their sentences and the words they may use, as search asks for it."""

    decoder: DecoderState
    memory: Memory
    words: Words | None

    def select(self, rows: Tensor) -> "SearchState":
        """Reorder or repeat rows within their sentences; the memory stays."""
        return replace(self, decoder=self.decoder.select(rows))

    def keep(self, sentences: Tensor) -> "SearchState":
        """Keep these sentences with all their rows."""
        per_sentence = self.decoder.feed.shape[0] // self.memory.mask.shape[0]
        rows = sentences[:, None] * per_sentence + torch.arange(per_sentence, device=sentences.device)
        words = None if self.words is None else self.words.select(sentences)
        return SearchState(self.decoder.select(rows.flatten()), self.memory.select(sentences), words)


class Translator:
    """A trained model with its tokenizers and a search.

    ``Translator.load("runs/x")(["Ein Mann schläft."])[0].text``

    Args:
        model: trained weights; they are used as they are, without dropout.
        source, target: tokenizers.
        search: beam search, greedy search or sampling.
        device: where to compute.
        precision: ``float32``, or ``int8``, which is faster on a CPU and rounds weights and states to 8 bits.
        workers: batches that are translated at the same time, each with its share of the threads; None is one for each
            thread on a CPU, where small products gain little from a second one, and one on a GPU.
        shortlist: which words a sentence may use; None for all.
        partners: target pieces for each source piece, where there is a shortlist.

    Raises:
        InputError: a precision that is unknown or not to be had, or no worker.
    """

    def __init__(
        self,
        model: Seq2Seq,
        *,
        source: Tokenizer,
        target: Tokenizer,
        search: Search,
        device: torch.device,
        precision: str = "float32",
        workers: int | None = None,
        shortlist: Shortlist | None = None,
        partners: int = 0,
    ) -> None:
        if workers is not None and workers < 1:
            raise InputError(f"workers={workers} would leave the work undone; give 1 or more, or null")
        self.model = model
        self.source = source
        self.target = target
        self.search = search
        self.device = device
        self.workers = workers
        self.shortlist, self.partners = shortlist, partners
        # Reading a source is a small share of the time; it stays exact, and the same in batches of any size.
        layers = (weight for name, weight in model.encoder.named_parameters() if not name.startswith("embedding."))
        self._products = decoding_products(device, precision, exact=layers)

    @classmethod
    def load(
        cls,
        run: str | Path | Run,
        *,
        search: Search | None = None,
        device: str | None = None,
        precision: str = "float32",
        workers: int | None = None,
        shortlist: int | None = None,
    ) -> "Translator":
        """Read a run folder.

        Args:
            run: the folder.
            search: another search than the one the run was validated with.
            device: such as ``cpu`` or ``cuda``; None takes a GPU where there is one.
            precision, workers: as in ``Translator``.
            shortlist: target pieces to consider for each source piece, beside the most frequent; None for all.
        """
        if shortlist is not None and shortlist < 1:
            raise InputError(f"shortlist={shortlist} leaves no word; give 1 or more, or null for all words")
        run = run if isinstance(run, Run) else Run(run)
        chosen = pick_device(device)
        source, target = run.tokenizers()
        return cls(
            run.load_model(chosen),
            source=source,
            target=target,
            search=search or build(run.config.search),
            device=chosen,
            precision=precision,
            workers=workers,
            shortlist=None if shortlist is None else run.shortlist(),
            partners=shortlist or 0,
        )

    @classmethod
    def from_config(cls, config: DictConfig, run: Run) -> "Translator":
        """Read a run with the device and search that a command line asks for; what it leaves open is the run's own."""
        typed = explicit_overrides("search")
        search = config.search if "search" in typed else run.config.search
        for name, value in typed.items():
            if name != "search":
                OmegaConf.update(search, name.removeprefix("search."), value)
        options = {name: config[name] for name in ("device", "precision", "workers", "shortlist")}
        return cls.load(run, search=build(search), **options)

    def using(self, search: Search) -> "Translator":
        """The same with another search."""
        other = copy(self)
        other.search = search
        return other

    def __call__(self, sentences: Sequence[str], *, n_best: int = 1, batch_size: int = 64) -> list[Translation]:
        """Translate sentences: one translation each, in order; the batch size does not change them.

        Args:
            sentences: source sentences; one without words is translated by none.
            n_best: hypotheses per sentence; those after the best are its ``alternatives``.
            batch_size: sentences that are worked on together.
        """
        _check_request(sentences, batch_size)
        ids = self.source.encode(sentences)
        translations = [Translation.empty(sentence) for sentence in sentences]
        worded = np.flatnonzero([len(sentence) > 1 for sentence in ids])
        lengths = np.array([len(ids[row]) for row in worded], dtype=np.int64)
        plan = plan_batches(lengths, lengths, tokens=batch_size * TOKENS_PER_SENTENCE, sentences=batch_size)
        batches = [worded[batch] for batch in plan]

        def search(rows: np.ndarray) -> list[list[Hypothesis]]:
            return self._search([ids[row] for row in rows], rows.tolist(), n_best)

        for rows, found in zip(batches, self._by_workers(search, batches), strict=True):
            for row, hypotheses in zip(rows, found, strict=True):
                translations[row] = self._translation(sentences[row], hypotheses)
        return translations

    def _by_workers(self, search: Callable[[np.ndarray], Found], batches: list[np.ndarray]) -> Iterator[Found]:
        """Search all batches, several at the same time; what comes of them is in order."""
        threads = torch.get_num_threads()
        workers = min(self.workers or (threads if self.device.type == "cpu" else 1), len(batches))
        if workers <= 1:
            yield from map(search, batches)
            return
        share = max(1, threads // workers)
        try:
            with ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(share,)) as pool:
                yield from pool.map(search, batches)
        finally:
            torch.set_num_threads(threads)

    def stream(self, lines: Iterable[str], *, n_best: int = 1, batch_size: int = 64) -> Iterator[Translation]:
        """Translate lines as they come, a window at a time, in order."""
        _check_request(lines, batch_size)
        waiting = iter(lines)
        while window := list(islice(waiting, WINDOW * batch_size)):
            yield from self(window, n_best=n_best, batch_size=batch_size)

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
            InputError: unequal numbers of sources and targets.
        """
        _check_request(sources, batch_size)
        _check_request(targets, batch_size)
        if len(sources) != len(targets):
            raise InputError(f"{len(sources)} sources but {len(targets)} targets; give one target for every source")
        target_ids = [
            self.target.encode([one])[0] if isinstance(one, str) else self.target.ids_of(one) for one in targets
        ]
        pairs = ParallelIds(SentenceIds.of(self.source.encode(sources)), SentenceIds.of(target_ids))
        scored: dict[int, Translation] = {}
        self.model.eval()
        budget = batch_size * TOKENS_PER_SENTENCE
        for rows in plan_batches(pairs.source.lengths, pairs.target.lengths, tokens=budget, sentences=batch_size):
            for row, log_probs, attention in self._score(pairs.batch(rows.tolist()).to(self.device)):
                log_prob, target = sum(log_probs), targets[row]
                scored[row] = Translation(
                    source=sources[row],
                    text=target if isinstance(target, str) else self.target.decode(target_ids[row]),
                    score=log_prob,
                    log_prob=log_prob,
                    source_tokens=tuple(self.source.pieces(sources[row])),
                    target_tokens=tuple(self.target.pieces(target) if isinstance(target, str) else target),
                    token_log_probs=tuple(log_probs),
                    attention=attention,
                )
        return [scored[row] for row in range(len(sources))]

    def _score(self, batch: Batch) -> Iterator[tuple[int, list[float], np.ndarray]]:
        """Yield row, log-probability of each target token, attention (T, S), for every pair of a batch."""
        assert batch.target is not None
        with products_by(self._products):
            features, attention = self.model(batch)
            log_probs = self.model.readout.log_probs(features)
        log_probs = log_probs.gather(2, batch.target.ids[:, :, None])[:, :, 0].cpu()
        for index, row in enumerate(batch.rows):
            length, width = int(batch.target.lengths[index]), int(batch.source.lengths[index])
            yield row, log_probs[index, :length].tolist(), attention[index, :length, :width].float().cpu().numpy()

    @torch.inference_mode()
    def _search(self, ids: list[list[int]], rows: Sequence[int], n_best: int) -> list[list[Hypothesis]]:
        """Search translations of one batch of sources."""
        self.model.eval()
        source = collate(ids).to(self.device)
        with products_by(self._products):
            return self._search_batch(source, rows, n_best)

    def _search_batch(self, source: Sequences, rows: Sequence[int], n_best: int) -> list[list[Hypothesis]]:
        """Search translations of sources, their products taken as the block around says."""
        ids, words = self._words(source) if self.shortlist else (None, None)

        def step(tokens: Tensor, state: SearchState) -> tuple[Tensor, Tensor, SearchState]:
            result = self.model.step(tokens if ids is None else ids[tokens], state.decoder, state.memory)
            log_probs = self.model.readout.log_probs(self.model.readout.features(result.output), state.words)
            return log_probs, result.attention, SearchState(result.state, state.memory, state.words)

        first = SearchState(*self.model.start(source), words)
        if ids is None:
            special: dict[str, Any] = {"bos": BOS, "eos": EOS, "forbidden": (PAD, UNK, BOS)}
            return self.search(step, first, source.lengths, n_best=n_best, rows=rows, **special)
        special = {"bos": 0, "eos": 1, "forbidden": (0,)}
        found = self.search(step, first, source.lengths, n_best=n_best, rows=rows, **special)
        return [
            [replace(one, tokens=tuple(ids[list(one.tokens)].tolist())) for one in hypotheses] for hypotheses in found
        ]

    def _words(self, source: Sequences) -> tuple[Tensor, Words]:
        """The ids of the words that any sentence may use, BOS and EOS first, and their part of the readout."""
        assert self.shortlist is not None
        lists = [
            np.setdiff1d(self.shortlist.words(sentence[:length], self.partners), (PAD, UNK, BOS, EOS))
            for sentence, length in zip(source.ids.cpu().numpy(), source.lengths.tolist(), strict=True)
        ]
        union = np.unique(np.concatenate(lists))
        allowed = np.zeros((len(lists), len(union) + 2), dtype=bool)
        allowed[:, :2] = True
        for row, listed in enumerate(lists):
            allowed[row, 2 + np.searchsorted(union, listed)] = True
        ids = torch.from_numpy(np.concatenate([[BOS, EOS], union])).to(self.device)
        mask = torch.from_numpy(allowed).to(self.device) if len(lists) > 1 else None
        return ids, self.model.readout.words(ids, mask)

    def _translation(self, source: str, hypotheses: Sequence[Hypothesis]) -> Translation:
        """Give hypotheses their text and labels; the first carries the others."""
        source_tokens = tuple(self.source.pieces(source))
        first, *others = (
            Translation(
                source=source,
                text=self.target.decode(hypothesis.tokens),
                score=hypothesis.score,
                log_prob=hypothesis.log_prob,
                source_tokens=source_tokens,
                target_tokens=tuple(self.target.pieces_of(hypothesis.tokens)),
                token_log_probs=hypothesis.token_log_probs,
                attention=hypothesis.attention[:, : len(source_tokens)],
                finished=hypothesis.finished,
            )
            for hypothesis in hypotheses
        )
        return replace(first, alternatives=tuple(others))
