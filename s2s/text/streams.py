"""A text as parallel streams: every line follows the one before it, and parts of equal length are cut across lines."""

import numpy as np

from s2s.text.batching import ParallelIds, SentenceIds
from s2s.text.tokenizer import EOS

__all__ = ["streamed"]


def streamed(ids: ParallelIds, rows: np.ndarray, *, length: int, tokens: int) -> tuple[ParallelIds, list[np.ndarray]]:
    """Lay the targets of these rows out in streams that are read side by side.

    The text is cut into as many streams as fit, each a stretch of consecutive lines; fewer tokens than there are
    streams are left over at its end.

    Args:
        ids: a tokenised split.
        rows: which of its lines, in order.
        length: tokens of a stream that are read at a time, T.
        tokens: of all streams together that are read at a time, at most, unless one stream alone has more.

    Returns:
        parts of T tokens, the last of each stream being shorter, and the batches: batch k has part k of each stream.
    """
    if len(rows) and rows[-1] - rows[0] == len(rows) - 1:  # nothing is left out, and nothing need be copied
        text = ids.target.values[ids.target.offsets[rows[0]] : ids.target.offsets[rows[-1] + 1]]
    else:
        text = np.concatenate([ids.target[row] for row in rows]) if len(rows) else np.zeros(0, np.int32)
    streams = max(1, min(tokens // length, len(text)))
    of_stream = len(text) // streams
    parts = -(-of_stream // length)
    begins = np.minimum(np.arange(parts + 1) * length, of_stream)
    offsets = (np.arange(streams)[:, None] * of_stream + begins[:-1]).ravel()
    targets = SentenceIds(text[: streams * of_stream], np.append(offsets, streams * of_stream))
    sources = SentenceIds(np.full(len(targets), EOS, np.int32), np.arange(len(targets) + 1))
    return ParallelIds(sources, targets), [np.arange(streams) * parts + part for part in range(parts)]
