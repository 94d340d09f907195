"""From ids to ids: batches of sources are searched, several at the same time, and given targets are scored."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from s2s.errors import InputError
from s2s.model.ensemble import WordList, Writer
from s2s.search.begun import Begun
from s2s.search.hypothesis import Hypothesis, Request, Search
from s2s.text.batching import Batch, Sequences, collate, sent
from s2s.text.shortlist import Shortlist
from s2s.text.tokenizer import BOS, EOS, PAD, UNK, Tokenizer

__all__ = ["Found", "check_beginnings", "continued", "forced", "in_order", "searched", "word_list"]

Found = list[list[Hypothesis]]


def searched(
    writer: Writer,
    source: Sequences,
    search: Search,
    *,
    rows: Sequence[int],
    n_best: int,
    listed: WordList | None = None,
) -> Found:
    """Search targets of sources.

    Args:
        writer: one model or several.
        source: B sentences.
        search: beam search, greedy search or sampling.
        rows: the sentences' numbers in the input, (B,).
        n_best: hypotheses wanted of each.
        listed: the words to search among, BOS and EOS first; None for all.
    """
    lengths = sent(source.lengths, source.ids.device)
    request = Request(lengths, bos=BOS, eos=EOS, n_best=n_best, forbidden=(PAD, UNK, BOS), rows=rows)
    if listed is None:
        return search(writer.step, writer.start(source), request)
    ids = listed.ids

    def step(tokens: Tensor, state: Any) -> tuple[Tensor, Tensor, Any]:
        return writer.step(ids[tokens], state)

    found = search(step, writer.start(source, listed), replace(request, bos=0, eos=1, forbidden=(0,)))
    return [[replace(one, tokens=tuple(ids[list(one.tokens)].tolist())) for one in hypotheses] for hypotheses in found]


def continued(
    writer: Writer,
    beginnings: Sequence[Sequence[int]],
    search: Search,
    *,
    rows: Sequence[int],
    n_best: int,
    device: torch.device,
) -> Found:
    """Search texts of a language model, given how each begins, as ids with EOS.

    Raises:
        InputError: a beginning that leaves nothing to write within the limit of the search.
    """
    source = collate([[EOS]] * len(beginnings)).to(device)
    begun = Begun(search, [beginning[:-1] for beginning in beginnings])
    found = searched(writer, source, begun, rows=rows, n_best=n_best)
    for beginning, hypotheses in zip(beginnings, found, strict=True):
        if not hypotheses:
            raise InputError(
                f"a beginning of {len(beginning) - 1:,} pieces leaves nothing to write; shorten it, or raise "
                "search.max_extra"
            )
    return found


def check_beginnings(texts: Sequence[str], ids: Sequence[Sequence[int]], tokenizer: Tokenizer) -> None:
    """Raise an InputError for a text that a language model cannot go on from."""
    if tokenizer.backwards:
        raise InputError("this run writes its texts backwards, so none begins as one says; take one that does not")
    for text, one in zip(texts, ids, strict=True):
        if UNK in one:
            raise InputError(f"{text[:40]!r} has characters this run has no piece for; write it with others")


def word_list(source: Sequences, shortlist: Shortlist, partners: int) -> WordList:
    """The words that a shortlist has for any of the sentences, BOS and EOS first."""
    lists = [
        np.setdiff1d(shortlist.words(sentence[:length], partners), (PAD, UNK, BOS, EOS))
        for sentence, length in zip(source.ids.cpu().numpy(), source.lengths.tolist(), strict=True)
    ]
    union = np.unique(np.concatenate(lists))
    allowed = np.zeros((len(lists), len(union) + 2), dtype=bool)
    allowed[:, :2] = True
    for row, listed in enumerate(lists):
        allowed[row, 2 + np.searchsorted(union, listed)] = True
    device = source.ids.device
    ids = torch.from_numpy(np.concatenate([[BOS, EOS], union])).to(device)
    return WordList(ids, torch.from_numpy(allowed).to(device) if len(lists) > 1 else None)


def forced(writer: Writer, batch: Batch) -> Iterator[tuple[int, list[float], np.ndarray]]:
    """Yield row, log-probability of each target token and attention (T, S) of every pair of a batch."""
    assert batch.target is not None
    log_probs, attention = writer.force(batch)
    log_probs = log_probs.gather(2, batch.target.ids[:, :, None])[:, :, 0].cpu()
    for index, row in enumerate(batch.rows):
        length, width = int(batch.target.lengths[index]), int(batch.source.lengths[index])
        yield row, log_probs[index, :length].tolist(), attention[index, :length, :width].float().cpu().numpy()


def in_order(search: Callable[[np.ndarray], Found], batches: Sequence[np.ndarray], *, workers: int) -> Iterator[Found]:
    """Search batches, several at the same time, each with its share of the threads; what comes of them is in order."""
    threads = torch.get_num_threads()
    workers = min(workers, len(batches))
    if workers <= 1:
        yield from map(search, batches)
        return
    share = max(1, threads // workers)
    try:
        with ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(share,)) as pool:
            yield from pool.map(search, batches)
    finally:
        torch.set_num_threads(threads)
