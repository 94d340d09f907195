"""A sentence has one translation, in whatever batch, order and company: every decoder, attention and window there is.

Texts, tokens and alternatives are the same; log-probabilities and attention to 1e-5 in float32, to 1e-10 in float64.
"""

from functools import cache

import numpy as np
import pytest
import torch
from test_combinations import ATTENTIONS, CELLS, DECODERS, WINDOWS, model_of, refusal
from test_translator import assert_same_translations

from s2s.search.beam import BeamSearch
from s2s.search.sampling import Sampling
from s2s.text.shortlist import Shortlist
from s2s.text.tokenizer import TokenizerRecipe
from s2s.translator import Translator

LINES = ["feg", "", "gab da cb", "c", "ab"]
NEIGHBOURS = ["abc gfe dab cde fga bcd", "g", "abc gfe dab cde fga bcd efg"]
LOOKING = [attention for attention in ATTENTIONS if attention != "none"]
PRECISIONS = [(torch.float32, 1e-5), (torch.float64, 1e-10)]


@cache
def tokenizer():
    return TokenizerRecipe(algorithm="char", vocabulary_size=100).train(["abc defg"])


def translator_of(*models, dtype=torch.float64):
    """A translator with models of these parts, whose weights are far enough from nought for every word to count."""
    built = [model_of(vocabulary=len(tokenizer()), **parts).to(dtype) for parts in models]
    with torch.no_grad():
        for weight in (weight for model in built for weight in model.parameters()):
            weight *= 2
    search = BeamSearch(beam_size=3, max_ratio=1.0, max_extra=1)
    options = {"source": tokenizer(), "target": tokenizer(), "device": torch.device("cpu"), "workers": 1}
    return Translator(built, search=search, **options)


def assert_company_does_not_matter(translator, tolerance):
    """Alone; all together; turned round among others, in small batches that are translated at the same time."""
    alone = [translator([line], n_best=2)[0] for line in LINES]
    assert len({one.log_prob for one in alone}) == len(LINES)
    assert_same_translations(translator(LINES, n_best=2), alone, tolerance)
    translator.workers = 2
    company = translator([*NEIGHBOURS, *LINES[::-1]], n_best=2, batch_size=4)
    assert_same_translations(company[: len(NEIGHBOURS) - 1 : -1], alone, tolerance)
    pairs = [(one.source, one.text) for one in alone]
    scored = [translator.score([source], [text])[0] for source, text in pairs]
    sources, targets = zip(*pairs[::-1], (NEIGHBOURS[0], "abc"), strict=True)
    assert_same_translations(translator.score(sources, targets)[-2::-1], scored, tolerance)


@pytest.mark.parametrize(("dtype", "tolerance"), PRECISIONS, ids=["float32", "float64"])
@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize("attention", LOOKING)
def test_for_every_attention_and_decoder(attention, decoder, dtype, tolerance):
    if refusal(attention, decoder) is None:
        translator = translator_of({"attention": attention, "decoder": decoder}, dtype=dtype)
        assert_company_does_not_matter(translator, tolerance)


@pytest.mark.parametrize("decoder", DECODERS)
def test_for_every_decoder_without_attention(decoder):
    if refusal("none", decoder) is None:
        assert_company_does_not_matter(translator_of({"attention": "none", "decoder": decoder}), 1e-10)


@pytest.mark.parametrize("window", [window for window in WINDOWS if window != "global"])
@pytest.mark.parametrize("attention", LOOKING)
def test_for_every_window(attention, window):
    assert_company_does_not_matter(translator_of({"attention": attention, "window": window}), 1e-10)


@pytest.mark.parametrize("cell", CELLS)
def test_for_every_cell(cell):
    assert_company_does_not_matter(translator_of({"rnn": cell}), 1e-10)


@pytest.mark.parametrize("decoder", ["luong", "bahdanau"])
def test_with_a_shortlist_of_each_sentence(decoder):
    """Words that a neighbour may use are not this one's."""
    translator = translator_of({"attention": "additive", "decoder": decoder})
    pieces = np.arange(len(tokenizer()))
    translator.shortlist, translator.partners = Shortlist(pieces[4:5], np.stack([pieces, pieces[::-1]], axis=1)), 2
    assert_company_does_not_matter(translator, 1e-10)


def test_where_several_models_write_together():
    looking, placed = {"attention": "coverage"}, {"attention": "location", "decoder": "bahdanau"}
    assert_company_does_not_matter(translator_of(looking, placed, {"attention": "none", "decoder": "cho"}), 1e-10)


def test_where_penalties_count_what_was_looked_at():
    translator = translator_of({"attention": "location_sensitive", "window": "local_m"})
    translator.search = BeamSearch(beam_size=3, max_ratio=1.0, max_extra=1, coverage_penalty=0.5, min_ratio=0.5)
    assert_company_does_not_matter(translator, 1e-10)


def test_where_words_are_drawn():
    """What is drawn goes by the number of the line, so company comes after it."""
    translator = translator_of({"attention": "multihead"})
    translator.search = Sampling(max_ratio=1.0, max_extra=1, seed=5)
    alone = [translator([line], n_best=2, first_row=row)[0] for row, line in enumerate(LINES)]
    translator.workers = 2
    for size in (2, 64):
        company = translator([*LINES, *NEIGHBOURS], n_best=2, batch_size=size)
        assert_same_translations(company[: len(LINES)], alone, 1e-10)
