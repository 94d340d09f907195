"""Models small enough for a test, in float64, and sentences for them."""

from functools import partial

import torch

from s2s.model.attention import (
    AdditiveAttention,
    ConcatAttention,
    DotAttention,
    GeneralAttention,
    NoAttention,
    NormalisedAdditiveAttention,
    ScaledDotAttention,
)
from s2s.model.bridge import LinearBridge
from s2s.model.decoder import BahdanauDecoder, LuongDecoder
from s2s.model.decoder_conditional import ConditionalDecoder
from s2s.model.decoder_gnmt import GNMTDecoder
from s2s.model.decoder_unattended import ChoDecoder, SutskeverDecoder
from s2s.model.kernel_cells import GRU, LSTM, RNN
from s2s.model.language_model import build_language_model
from s2s.model.multihead_attention import MultiHeadAttention
from s2s.model.position_attention import CoverageAttention, LocationAttention, LocationSensitiveAttention
from s2s.model.readout import LinearReadout, MaxoutReadout, TanhReadout
from s2s.model.seq2seq import build_seq2seq
from s2s.model.window import GlobalWindow, LocalMonotonicWindow, LocalPredictiveWindow
from s2s.text.batching import Batch, Sequences, collate
from s2s.text.tokenizer import BOS

CELLS = [LSTM, GRU, RNN]
# Every attention that looks at something.
SCORES = [
    AdditiveAttention,
    NormalisedAdditiveAttention,
    DotAttention,
    ScaledDotAttention,
    GeneralAttention,
    ConcatAttention,
    LocationAttention,
    LocationSensitiveAttention,
    CoverageAttention,
    partial(CoverageAttention, fertility=2.0),
    partial(MultiHeadAttention, heads=2),
]
WINDOWS = [GlobalWindow, partial(LocalMonotonicWindow, width=1), partial(LocalPredictiveWindow, width=2)]
# Every decoder that takes an attention, and those that take none.
DECODERS = {
    "bahdanau": {"decoder": BahdanauDecoder, "readout": MaxoutReadout},
    "luong": {"decoder": LuongDecoder},
    "luong without feeding": {"decoder": partial(LuongDecoder, input_feeding=False)},
    "conditional": {"decoder": ConditionalDecoder, "readout": TanhReadout},
    "gnmt": {"decoder": GNMTDecoder},
}
UNATTENDED = {
    "sutskever": {"decoder": SutskeverDecoder, "attention": NoAttention},
    "cho": {"decoder": ChoDecoder, "readout": MaxoutReadout, "attention": NoAttention},
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
        "encoder_rnn": None,
        "attention": GeneralAttention,
        "window": GlobalWindow,
        "bridge": LinearBridge,
        "decoder": LuongDecoder,
        "readout": LinearReadout,
        "embedding_size": 4,
        "hidden_size": 6,
        "encoder_size": None,
        "feature_size": None,
        "num_layers": 1,
        "encoder_layers": None,
        "decoder_layers": None,
        "forward_layers": 0,
        "bidirectional": True,
        "reverse_source": False,
        "dropout": 0.0,
        "source_word_dropout": 0.0,
        "target_word_dropout": 0.0,
        "share_embeddings": False,
        "tie_readout": False,
    }
    return build_seq2seq(**defaults | options).double().eval()


def tiny_language_model(**options):
    """Build a language model likewise."""
    torch.manual_seed(5)
    defaults = {
        "source_vocabulary": 13,
        "target_vocabulary": 13,
        "rnn": LSTM,
        "readout": LinearReadout,
        "embedding_size": 4,
        "hidden_size": 6,
        "feature_size": None,
        "num_layers": 1,
        "dropout": 0.0,
        "embedding_dropout": None,
        "layer_dropout": None,
        "output_dropout": None,
        "recurrent_dropout": 0.0,
        "word_dropout": 0.0,
        "variational": False,
        "tie_readout": True,
    }
    return build_language_model(**defaults | options).double().eval()


def model_of(decoder, **options):
    """Build a model with one of the decoders above, by name."""
    return tiny_model(**(DECODERS | UNATTENDED)[decoder] | options)


def name_of(part):
    """A test's name for a class, or for one with options."""
    if isinstance(part, partial):
        return " ".join([part.func.__name__, *map(str, part.keywords)])
    return part.__name__


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


def embedded(*shape, seed=1):
    """Draw embeddings, (*shape, E)."""
    return torch.randn(*shape, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def written(model, batch):
    """Write targets one step at a time, the state passed from hand to hand."""
    state, memory = model.start(batch.source)
    tokens, features, attention = torch.full_like(batch.target.lengths, BOS), [], []
    for position in batch.target.ids.unbind(dim=1):
        step = model.step(tokens, state, memory)
        features.append(model.readout.features(step.output, step.state.draws.output))
        attention.append(step.attention)
        tokens, state = position, step.state
    return torch.stack(features, dim=1), torch.stack(attention, dim=1)


def assert_same(actual, expected, tolerance=1e-12):
    """Compare two tensors, or two tuples of tensors, in value alone."""
    torch.testing.assert_close(actual, expected, rtol=tolerance, atol=tolerance)
