"""A translator as two ONNX graphs: one reads sources, one writes a target position, with attention as an output.

``torch.export`` reads the model's own code, once for each graph, so whatever a model is put together from comes along.
"""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor, nn

from s2s.errors import InputError
from s2s.model.attention import Memory
from s2s.model.decoder import DecoderState
from s2s.model.draws import Draws, LayerDraws
from s2s.model.ensemble import OneModel, SearchState
from s2s.model.product import plain, products_by
from s2s.model.seq2seq import Seq2Seq
from s2s.onnx_writer import ENCODER, NEXT, STEP, OnnxWriter, check_installed
from s2s.storage import writing
from s2s.text.batching import Sequences, collate
from s2s.text.tokenizer import EOS

__all__ = ["difference", "state_of", "tensors_of", "write_graphs"]

TOLERANCE = 1e-4
MOST_BYTES = 2**31 - 2**24  # of the weights of a file, which has to stay below 2 GiB
# The axes of a tensor that vary from call to call; all others are the model's widths.
SENTENCES, ROWS, LENGTH = (torch.export.Dim(name) for name in ("sentences", "rows", "length"))
OF_ROWS, OF_SENTENCES = {0: SENTENCES, 1: ROWS}, {0: SENTENCES, 1: LENGTH}
AXES = {
    **dict.fromkeys(("ids", "values", "keys", "mask"), OF_SENTENCES),
    **dict.fromkeys(("tokens", "hidden", "cell", "feed", "log_probs"), OF_ROWS),
    "lengths": {0: SENTENCES},
    "attended": {**OF_ROWS, 3: LENGTH},
    "attention": {**OF_ROWS, 2: LENGTH},
}
PARTS, MEMORY = ("hidden", "cell"), ("values", "keys", "mask")
POSITIONS = 4

Tensors = dict[str, Tensor]


def _check(model: Seq2Seq) -> None:
    """Raise an InputError where the packages are missing, or for what does not go into two graphs."""
    check_installed("onnx", "onnxscript", "onnxruntime")
    if not model.reads_source:
        raise InputError("a language model has no encoder to export; leave format=onnx out")
    if (size := sum(4 * weight.numel() for weight in model.parameters())) > MOST_BYTES:
        raise InputError(f"weights of {size / 1e9:.1f} GB are too many for an ONNX file of 2 GB; leave format=onnx out")


def write_graphs(model: Seq2Seq, folder: Path) -> float:
    """Write ``encoder.onnx`` and ``step.onnx``, and see that they do what the model does.

    Args:
        model: ready to translate.
        folder: where there is one.

    Returns:
        the largest difference from torch, of any log-probability, weight of attention or unit of the state.

    Raises:
        InputError: packages are missing, or the model cannot be exported.
        RuntimeError: the difference is more than 1e-4.
    """
    _check(model)
    sources = Sequences(torch.full((3, 5), EOS), torch.tensor([5, 2, 4]))
    with torch.no_grad(), _quiet():
        state = OneModel(model).start(sources).select(torch.arange(3).repeat_interleave(2))
        _write(_Encoder(model), {"ids": sources.ids, "lengths": sources.lengths}, folder / ENCODER)
        _write(_Step(model), {"tokens": torch.full((3, 2), EOS), **tensors_of(state)}, folder / STEP)
    found = difference(model, OnnxWriter(folder))
    if not found <= TOLERANCE:
        raise RuntimeError(f"the graphs differ from the model by {found:.1e}, and may by {TOLERANCE}")
    return found


def difference(model: Seq2Seq, writer: OnnxWriter) -> float:
    """The largest difference between a model and its graphs, over positions that three rows of a sentence write."""
    draw = torch.Generator().manual_seed(0)
    of_source, of_target = len(model.encoder.embedding.weight), len(model.embedding.weight)
    sources = collate([torch.randint(of_source, (length,), generator=draw).tolist() for length in (9, 1, 17, 4)])
    rows, alone, found = torch.arange(4).repeat_interleave(3), OneModel(model), list[Tensor]()
    with torch.no_grad(), products_by(plain):
        own, other = alone.start(sources).select(rows), writer.start(sources).select(rows)
        for _ in range(POSITIONS):
            tokens = torch.randint(of_target, (len(rows),), generator=draw)
            *expected, own = alone.step(tokens, own)
            *actual, other = writer.step(tokens, other)
            state = tensors_of(own)
            pairs = [*zip(actual, expected, strict=True), *((part, state[name]) for name, part in other.named.items())]
            found += [(one.float() - two.float()).abs().max() for one, two in pairs if one.numel()]
    return float(torch.stack(found).max())


def tensors_of(state: SearchState) -> Tensors:
    """The state of a search by name, as graphs take and give it: whatever of it has a width.

    What is of rows is (B, K, …), so that a graph knows which sentence each of them is of.
    """
    decoder, memory = state.decoder, state.memory
    rows = dict(zip(PARTS, decoder.rnn, strict=False)) | {"feed": decoder.feed, "attended": decoder.attended}
    named = {name: part.view(memory.mask.shape[0], -1, *part.shape[1:]) for name, part in rows.items() if part.shape[1]}
    sentences = {"values": memory.values, "keys": memory.keys, "mask": memory.mask}
    return named | {name: part for name, part in sentences.items() if name == "mask" or part.shape[2]}


def state_of(named: Tensors, model: Seq2Seq) -> SearchState:
    """The way back from ``tensors_of``: what is not there has a width of 0."""
    mask, rows = named["mask"], {name: part.flatten(0, 1) for name, part in named.items() if name not in MEMORY}
    hidden = rows["hidden"]
    # Not len(), which would make a number of what is to stay a name.
    nothing = {"feed": (hidden.shape[0], 0), "attended": (hidden.shape[0], 0, mask.shape[1])}
    nothing |= {"values": (*mask.shape, 0), "keys": (*mask.shape, 0)}
    whole = {name: hidden.new_zeros(shape) for name, shape in nothing.items() if name not in named} | named | rows
    rnn = tuple(whole[name] for name in PARTS if name in whole)
    draws = Draws(tuple(LayerDraws() for _ in model.decoder.stacks()))
    memory = Memory(whole["values"], whole["keys"], mask)
    return SearchState(DecoderState(rnn, whole["feed"], whole["attended"], draws), memory, None)


class _Encoder(nn.Module):
    """From sources to the state before the first position."""

    def __init__(self, model: Seq2Seq) -> None:
        super().__init__()
        self.model = model

    def forward(self, given: Tensors) -> Tensors:
        """``ids`` (B, S), ``lengths`` (B,) -> what ``tensors_of`` names."""
        return tensors_of(OneModel(self.model).start(Sequences(given["ids"], given["lengths"])))


class _Step(nn.Module):
    """One target position."""

    def __init__(self, model: Seq2Seq) -> None:
        super().__init__()
        self.model = model

    def forward(self, given: Tensors) -> Tensors:
        """``tokens`` (B, K), a state -> ``log_probs`` (B, K, V), ``attention`` (B, K, S) and the state that follows."""
        tokens = given["tokens"]
        log_probs, attention, after = OneModel(self.model).step(tokens.flatten(), state_of(given, self.model))
        found = {"log_probs": log_probs, "attention": attention}
        by_sentence = {name: part.view(*tokens.shape, -1) for name, part in found.items() if part.shape[1]}
        state = {NEXT + name: part for name, part in tensors_of(after).items() if name not in MEMORY}
        return by_sentence | state


def _write(module: nn.Module, given: Tensors, path: Path) -> None:
    """Export a graph, the varying axes of whatever it takes and gives named, and no line of this machine's files."""
    from onnx_ir.passes.common import ClearMetadataAndDocStringPass

    given = {name: part.clone() for name, part in given.items()}  # a view would be exported with what it is of
    names = list(module(given))
    program = torch.onnx.export(
        module,
        kwargs={"given": given},
        dynamo=True,
        input_names=list(given),
        output_names=names,
        dynamic_shapes={"given": {name: AXES[name] for name in given}},
        verbose=False,
    )
    assert program is not None
    ClearMetadataAndDocStringPass()(program.model)
    with writing(path):
        program.save(path, external_data=False)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporter from saying what it does without."""
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
