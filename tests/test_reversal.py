"""Digits to the same digits reversed: what a decoder must learn to look for, and what none learns without looking."""

import numpy as np
import pytest
import torch
from torch.nn.functional import nll_loss

from s2s.building import build
from s2s.config import compose
from s2s.text.batching import Batch, collate
from s2s.text.tokenizer import EOS
from s2s.translator import Translator

pytestmark = pytest.mark.slow

FIRST, DIGITS = 4, 10
DECODERS = {
    "bahdanau": ["model=bahdanau"],
    "luong": ["model=luong"],
    "luong without feeding": ["model=luong", "model.decoder.input_feeding=false"],
    "conditional": ["model=nematus_small"],
    # Without the forward layers of its encoder: they know a digit one position later too, so it is found there as well.
    "gnmt": ["model=gnmt_small", "model.forward_layers=0", "model.decoder_layers=2"],
}
CONTROLS = {
    "sutskever": ["model=sutskever"],
    "cho": ["model=cho"],
    "luong that looks at nothing": ["model=luong", "model/attention=none"],
}


def sentences(number, longest, seed):
    """Digits, of every length as often, each sentence with its end mark."""
    draw = np.random.default_rng(seed)
    return [[*(FIRST + draw.integers(DIGITS, size=draw.integers(1, longest + 1))).tolist(), EOS] for _ in range(number)]


def reverse(sentence):
    return [*sentence[-2::-1], EOS]


def trained(options, *, longest, updates, hidden=64):
    """Train a model from the files on random digits."""
    sizes = ["sizes.embedding=32", f"sizes.hidden={hidden}", "sizes.dropout=0"]
    torch.manual_seed(1)
    vocabulary = FIRST + DIGITS
    config = compose("train", [*sizes, *options]).model
    model = build(config, "model", source_vocabulary=vocabulary, target_vocabulary=vocabulary).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.05, total_iters=updates)
    for update in range(updates):
        sources = sentences(64, longest, [1, update])
        batch = Batch(collate(sources), collate([reverse(source) for source in sources]), tuple(range(64)))
        log_probs = model.readout.log_probs(model(batch)[0])[batch.target.mask]
        nll_loss(log_probs, batch.target.ids[batch.target.mask]).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        schedule.step()
    return model.eval()


def written(model, sources):
    """Greedy search: for every source the tokens it is given, and the attention."""
    search = build(compose("train", ["search=greedy"]).search, "search")
    translator = Translator(model, source=None, target=None, search=search, device=torch.device("cpu"))
    return [found[0] for found in translator._search(sources, range(len(sources)), 1)]


def exact_match(model, sources):
    found = written(model, sources)
    return np.mean([list(one.tokens) == reverse(source) for one, source in zip(found, sources, strict=True)])


@pytest.mark.parametrize("decoder", DECODERS)
def test_every_decoder_learns_to_reverse_and_looks_from_the_end_to_the_start(decoder):
    model = trained(DECODERS[decoder], longest=10, updates=1000)
    sources = sentences(500, 10, 2)
    assert exact_match(model, sources) >= 0.98
    hits = [
        one.attention[position].argmax() == len(source) - 2 - position
        for one, source in zip(written(model, sources), sources, strict=True)
        for position in range(len(source) - 1)
    ]
    assert np.mean(hits) > 0.9


@pytest.mark.parametrize("control", CONTROLS)
def test_without_attention_twenty_digits_are_too_many(control):
    long = [source for source in sentences(4000, 20, 3) if len(source) == 21][:100]
    with_attention, without = (
        exact_match(trained(options, longest=20, updates=1000), long)
        for options in (DECODERS["luong"], CONTROLS[control])
    )
    assert with_attention >= 0.9
    assert without < with_attention - 0.3
