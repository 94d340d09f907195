"""Every choice of every config group, and every cell with every attention and decoder: it learns and translates."""

import math
from functools import cache
from itertools import product

import pytest
import torch
from omegaconf import OmegaConf

from s2s.building import build
from s2s.config import CONF, compose
from s2s.errors import InputError
from s2s.text.batching import Batch, collate
from s2s.text.tokenizer import EOS
from s2s.train import prepare
from s2s.translator import Translator


def choices(group):
    """Names of a config group's files."""
    return sorted(path.stem for path in (CONF / group).glob("*.yaml"))


@cache
def part(group, choice):
    return OmegaConf.load(CONF / "model" / group / f"{choice}.yaml")


CELLS, ATTENTIONS, DECODERS, WINDOWS, BRIDGES, READOUTS = (
    choices(f"model/{group}") for group in ("rnn", "attention", "decoder", "window", "bridge", "readout")
)
PRESETS = choices("model")
TRAINING = ("data", "tokenizer", "optimizer", "scheduler", "scheduled_sampling")
UNATTENDED = {"sutskever", "cho"}
SIBLINGS = {
    "bahdanau2015": "bahdanau",
    "cho2014": "cho",
    "gnmt": "gnmt_small",
    "luong2015_global": "luong",
    "luong2015_local_p": "luong_local_p",
    "nematus": "nematus_small",
    "sutskever2014": "sutskever",
}


@cache
def composed(*overrides):
    return compose("train", list(overrides))


def refusal(attention, decoder, window="global", bridge="linear"):
    """Why a combination makes no sense, in the words of the error; None where it does."""
    if attention == "none" and decoder != "cho" and bridge == "zero":
        return "would know nothing of the source"
    if attention == "none" and window != "global":
        return "window"
    if attention == "none" and decoder == "conditional":
        return "reads nothing but the context"
    if attention != "none" and decoder in UNATTENDED:
        return f"the {decoder} decoder looks at nothing"
    return None


def model_of(model="luong", *, sizes=True, vocabulary=23, **parts):
    """Build one of the models from the files, with other parts in place of its own: ``rnn="gru"``."""
    small = ["sizes.embedding=8", "sizes.hidden=8", "sizes.dropout=0.1"] if sizes else []
    config = composed(f"model={model}", *small).model.copy()
    for group, choice in parts.items():
        config[group] = part(group, choice)
    if parts.get("readout") == "adaptive":
        config.tie_readout = False
    OmegaConf.resolve(config)
    torch.manual_seed(1)
    return build(config, "model", source_vocabulary=vocabulary, target_vocabulary=vocabulary)


def learns_and_translates(model, *, rate=0.1):
    """One update lowers the loss of a batch, every weight has a share in it, and one sentence is translated."""
    batch = Batch(collate([[4, 5, 6, EOS], [7, EOS]]), collate([[8, 9, EOS], [10, 11, 12, EOS]]), (0, 1))

    def loss():
        log_probs = model.readout.log_probs(model(batch)[0])[batch.target.mask]
        return torch.nn.functional.nll_loss(log_probs, batch.target.ids[batch.target.mask])

    model.train()
    loss().backward()
    assert [name for name, weight in model.named_parameters() if weight.grad is None] == []
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0, error_if_nonfinite=True)
    assert norm > 0
    model.eval()
    with torch.no_grad():
        before = loss()
        for weight in model.parameters():
            weight -= rate * weight.grad
        assert loss() < before
    search = build(composed("search.beam_size=2", "search.max_ratio=1", "search.max_extra=1").search, "search")
    translator = Translator(model, source=None, target=None, search=search, device=torch.device("cpu"))
    ((hypothesis,),) = translator._search([[4, 5, 6, EOS] if model.reads_source else [EOS]], [0], 1)
    assert math.isfinite(hypothesis.score)
    rows, columns = hypothesis.attention.shape
    assert rows == len(hypothesis.token_log_probs)
    assert columns == (4 if model.decoder.attention.context_size else 0)
    assert hypothesis.attention.sum(axis=1) == pytest.approx([1.0 if columns else 0.0] * rows, abs=1e-5)


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize("attention", ATTENTIONS)
def test_every_cell_goes_with_every_attention_and_decoder_that_makes_sense(attention, decoder):
    for cell in CELLS:
        if reason := refusal(attention, decoder):
            with pytest.raises(InputError, match=reason):
                model_of(rnn=cell, attention=attention, decoder=decoder)
        else:
            learns_and_translates(model_of(rnn=cell, attention=attention, decoder=decoder))


def test_so_many_combinations_there_are():
    """10 cells; 10 attentions with 4 decoders that look; without attention 3 of these and 2 that never look."""
    makes_sense = [pair for pair in product(ATTENTIONS, DECODERS) if refusal(*pair) is None]
    assert (len(CELLS), len(ATTENTIONS), len(DECODERS)) == (10, 11, 6)
    assert len(CELLS) * len(makes_sense) == 10 * (10 * 4 + 3 + 2)


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("attention", ATTENTIONS)
def test_every_window_lies_over_every_attention(attention, window):
    if reason := refusal(attention, "luong", window):
        with pytest.raises(InputError, match=reason):
            model_of(attention=attention, window=window)
    else:
        learns_and_translates(model_of(attention=attention, window=window))


@pytest.mark.parametrize("bridge", BRIDGES)
@pytest.mark.parametrize("readout", READOUTS)
def test_every_bridge_and_readout_goes_with_every_decoder(readout, bridge):
    for decoder in DECODERS:
        parts = {"attention": "none" if decoder in UNATTENDED else "general", "decoder": decoder, "bridge": bridge}
        if reason := refusal(**parts):
            with pytest.raises(InputError, match=reason):
                model_of(**parts, readout=readout)
        else:
            learns_and_translates(model_of(**parts, readout=readout))


@pytest.mark.parametrize("model", PRESETS)
def test_every_model_of_a_paper_learns_at_the_size_it_has(model):
    learns_and_translates(model_of(model, sizes=False), rate=0.02)


def test_a_model_of_a_paper_has_a_small_sibling():
    assert set(PRESETS) == SIBLINGS.keys() | set(SIBLINGS.values()) | {"lm"}
    for name, sibling in SIBLINGS.items():
        with torch.device("meta"):
            models = [model_of(model, sizes=False) for model in (name, sibling)]
        large, small = (sum(weight.numel() for weight in model.parameters()) for model in models)
        assert small < large / 5


@pytest.mark.parametrize(
    "choice",
    [
        f"{group}={choice}"
        for group in (
            "data",
            "tokenizer",
            "model",
            "optimizer",
            "scheduler",
            "scheduled_sampling",
            "minimum_risk",
            "search",
            "experiment",
        )
        for choice in choices(group)
        if choice not in SIBLINGS
    ],
)
def test_every_file_of_every_other_group_trains_one_update_and_translates(choice, create_run, digits):
    options = ["training.steps=1", "sizes.vocabulary=100"]
    if choice in ("data=hub", "data=multi30k"):
        options += ["data.name=some/name", "data.source=de", "data.target=en"]
    if choice == "data=sample_text":
        options += ["data.train=null", "data.valid=null", "data.test=null"]
    if choice == "data=several":
        options += ["data.source=[de,en]", "data.target=[en,de]"]
    run = create_run(choice, *options)
    trainer, _ = prepare(run)
    assert trainer.train()
    translator = Translator.load(run, device="cpu")
    (translation,) = translator(["eins zwei" if translator.reads_source else ""])
    assert math.isfinite(translation.log_prob)
