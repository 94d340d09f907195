"""A decoder's step, compiled as for a GPU, is the step."""

import pytest
import torch
from tiny_models import DECODERS, SCORES, batch_of, model_of, name_of

from s2s.model import kernel_cells, recurrent
from s2s.text.batching import Batch, collate

WITH_STEPS = sorted(DECODERS.keys() - {"luong without feeding"})
# torch asks states for a gradient that they do not keep, and hides its own warning, but not from tests.
pytestmark = pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")


@pytest.fixture(autouse=True)
def as_on_a_gpu(monkeypatch):
    """Cells by torch's kernels, and nothing compiled before."""
    for module in (kernel_cells, recurrent):
        monkeypatch.setattr(module, "gates_serve", lambda inputs: False)
    torch.compiler.reset()


@pytest.fixture
def counter():
    """A compiler that leaves operations as they are and counts what it is given."""
    from torch._dynamo.testing import CompileCounterWithBackend  # which takes seconds

    return CompileCounterWithBackend("eager")


def written(model, batch):
    """Outputs, attention and gradients of a batch."""
    features, attention = model(batch)
    model.zero_grad()
    (features.square().sum() + attention.square().sum()).backward()
    return (
        features.detach(),
        attention.detach(),
        *(weight.grad for weight in model.parameters() if weight.grad is not None),
    )


def assert_compiled_is_plain(model, backend):
    expected = written(model.train(), batch_of([0, 1, 2]))
    model.decoder.compile_step(backend=backend, fullgraph=True)
    actual = written(model, batch_of([0, 1, 2]))
    assert len(actual) == len(expected) > 8
    for one, other in zip(actual, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-12)


@pytest.mark.parametrize("decoder", WITH_STEPS)
def test_the_compiled_step_is_the_plain_one(decoder, counter):
    assert_compiled_is_plain(model_of(decoder), counter)
    assert counter.frame_count > 0


@pytest.mark.slow
@pytest.mark.parametrize("decoder", WITH_STEPS)
@pytest.mark.parametrize("score", SCORES, ids=name_of)
def test_so_it_is_with_every_attention_and_a_compiled_gradient(decoder, score):
    assert_compiled_is_plain(model_of(decoder, attention=score), "aot_eager")


def test_other_numbers_and_lengths_of_sentences_are_not_compiled_anew(counter):
    model, compiled = model_of("luong").train(), []
    model.decoder.compile_step(backend=counter)
    for sentences, source, target in ((5, 7, 3), (7, 8, 5), (9, 5, 4), (3, 11, 2)):
        sides = (collate([[5] * (length - 1) + [3]] * sentences) for length in (source, target))
        model(Batch(*sides, tuple(range(sentences))))
        compiled.append(counter.frame_count)
    assert 0 < compiled[1] == compiled[-1]


def test_only_training_is_compiled(counter):
    model = model_of("bahdanau")
    model.decoder.compile_step(backend=counter)
    model.eval()(batch_of([0, 1]))
    assert counter.frame_count == 0
