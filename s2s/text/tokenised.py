"""Tokenised splits: text becomes ids once, and the ids are kept in the dataset's cache."""

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np

from s2s.text.batching import ParallelIds, SentenceIds
from s2s.text.tokenizer import Tokenizer

if TYPE_CHECKING:
    from datasets import Dataset

__all__ = ["tokenise"]


def tokenise(
    dataset: "Dataset", source: Tokenizer, target: Tokenizer, *, sampling: float = 0.0, seed: str = ""
) -> ParallelIds:
    """Cut every pair of a dataset into ids, EOS last.

    The same text under the same tokenizers is read back from the cache; sampled segmentations (``sampling`` above 0,
    see ``Tokenizer.encode``) are not cached and follow from ``seed``.
    """
    if sampling > 0:
        return ParallelIds(
            SentenceIds.of(source.encode(dataset["source"], sampling=sampling, seed=f"{seed} source")),
            SentenceIds.of(target.encode(dataset["target"], sampling=sampling, seed=f"{seed} target")),
        )

    def encode(rows: dict[str, list[str]]) -> dict[str, list[list[int]]]:
        return {"source_ids": source.encode(rows["source"]), "target_ids": target.encode(rows["target"])}

    order = b"backwards" if target.backwards else b""
    key = hashlib.sha256(dataset._fingerprint.encode() + source.model + target.model + order).hexdigest()
    encoded = dataset.map(encode, batched=True, remove_columns=dataset.column_names, new_fingerprint=key[:32])
    return ParallelIds(_flat(encoded, "source_ids"), _flat(encoded, "target_ids"))


def _flat(dataset: Any, column: str) -> SentenceIds:
    """Read a column of lists as one flat array with offsets, without a copy where it is one chunk."""
    lists = dataset.data.column(column).combine_chunks()
    offsets = lists.offsets.to_numpy()
    return SentenceIds(lists.values.to_numpy(zero_copy_only=False), offsets.astype(np.int64))
