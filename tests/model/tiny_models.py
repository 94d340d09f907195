"""Models small enough for a test, in float64, and sentences for them."""

from functools import partial

import torch

from s2s.model.attention import AdditiveAttention, ConcatAttention, DotAttention, GeneralAttention, ScaledDotAttention
from s2s.model.bridge import LinearBridge
from s2s.model.decoder import BahdanauDecoder, LuongDecoder
from s2s.model.readout import LinearReadout, MaxoutReadout
from s2s.model.recurrent import GRU, LSTM, RNN
from s2s.model.seq2seq import build_seq2seq
from s2s.text.batching import Batch, Sequences, collate

CELLS = [LSTM, GRU, RNN]
SCORES = [AdditiveAttention, DotAttention, ScaledDotAttention, GeneralAttention, ConcatAttention]
DECODERS = {
    "bahdanau": {"decoder": BahdanauDecoder, "readout": MaxoutReadout},
    "luong": {"decoder": LuongDecoder},
    "luong without feeding": {"decoder": partial(LuongDecoder, input_feeding=False)},
}
# Unequal lengths on both sides, EOS = 3 last; the longest source and the longest target are different pairs.
SOURCES = [[4, 5, 3], [6, 7, 8, 9, 3], [3]]
TARGETS = [[9, 8, 7, 6, 5, 3], [4, 3], [5, 4, 12, 3]]


def tiny_model(**options):
    """Build a model in float64, ready for use, with the same weights for the same options."""
    torch.manual_seed(3)
    defaults = {
        "source_vocabulary": 11,
        "target_vocabulary": 13,
        "rnn": LSTM,
        "attention": GeneralAttention,
        "bridge": LinearBridge,
        "decoder": LuongDecoder,
        "readout": LinearReadout,
        "embedding_size": 4,
        "hidden_size": 6,
        "encoder_size": None,
        "num_layers": 1,
        "encoder_layers": None,
        "decoder_layers": None,
        "bidirectional": True,
        "dropout": 0.0,
        "share_embeddings": False,
        "tie_readout": False,
    }
    return build_seq2seq(**defaults | options).double().eval()


def padded(sentences, extra=0):
    """Collate sentences; extra padding is of ids that would be seen if they were read."""
    sequences = collate(sentences)
    if not extra:
        return sequences
    longer = Sequences(torch.nn.functional.pad(sequences.ids, (0, extra)), sequences.lengths)
    return Sequences(longer.ids.masked_fill(~longer.mask, 10), longer.lengths)


def batch_of(rows, extra=0):
    """Batch some of the pairs above."""
    source, target = padded([SOURCES[row] for row in rows], extra), padded([TARGETS[row] for row in rows], extra)
    return Batch(source, target, tuple(rows))


def assert_same(actual, expected, tolerance=1e-12):
    """Compare two tensors, or two tuples of tensors, in value alone."""
    torch.testing.assert_close(actual, expected, rtol=tolerance, atol=tolerance)
