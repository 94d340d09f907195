"""A text as parallel streams: nothing is lost but the tokens left over, and everything stays in order."""

import numpy as np
import pytest

from s2s.text.batching import ParallelIds, SentenceIds
from s2s.text.streams import streamed
from s2s.text.tokenizer import EOS

LINES = [[10, 11, EOS], [12, EOS], [13, 14, 15, 16, EOS], [EOS], [17, 18, EOS], [19, 20, 21, EOS], [22, EOS]]


def ids(lines=LINES):
    return ParallelIds(SentenceIds.of([[EOS]] * len(lines)), SentenceIds.of(lines))


def text(rows):
    return [token for row in rows for token in LINES[row]]


@pytest.mark.parametrize(("length", "tokens"), [(3, 3), (3, 6), (3, 9), (4, 9), (100, 100), (1, 4), (2, 1000)])
def test_every_stream_read_part_by_part_is_a_stretch_of_the_text(length, tokens):
    rows = np.array([0, 1, 2, 4, 5, 6])
    parts, batches = streamed(ids(), rows, length=length, tokens=tokens)
    streams = [[] for _ in batches[0]]
    for batch in batches:
        widths = {len(parts.target[row]) for row in batch}
        assert len(widths) == 1
        assert max(widths) <= length
        for stream, row in zip(streams, batch, strict=True):
            stream.extend(parts.target[row].tolist())
    whole = text(rows)
    read = [token for stream in streams for token in stream]
    assert read == whole[: len(read)]
    assert len(whole) - len(read) < len(streams)
    assert len({len(stream) for stream in streams}) == 1


def test_as_many_streams_as_fit_are_read_side_by_side():
    _, batches = streamed(ids(), np.arange(7), length=3, tokens=10)
    assert {len(batch) for batch in batches} == {3}


def test_a_text_shorter_than_its_streams_has_as_many_as_it_has_tokens():
    parts, batches = streamed(ids([[EOS], [EOS]]), np.arange(2), length=2, tokens=100)
    assert [len(batch) for batch in batches] == [2]
    assert parts.target.values.tolist() == [EOS, EOS]


def test_sources_are_empty():
    parts, batches = streamed(ids(), np.arange(7), length=3, tokens=6)
    batch = parts.batch(batches[0])
    assert batch.source.ids.tolist() == [[EOS]] * 2
    assert parts.batch(batches[-1]).target.mask.all()
