"""Windows: where attention may look, by the paper's numbers, and nothing outside has a weight."""

import math
from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf
from paper_attention import SCORES
from tiny_models import assert_same

from s2s.building import build
from s2s.config import CONF
from s2s.errors import InputError
from s2s.model.attention import Attention, DotAttention, GeneralAttention
from s2s.model.window import GlobalWindow, LocalMonotonicWindow, LocalPredictiveWindow, Window


def random(*shape):
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(sum(shape)))


def indifferent(window, lengths):
    """Dot attention within a window, a memory and queries of zero: only the window makes a difference."""
    module = DotAttention(2, memory_size=2, window=window).double()
    mask = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
    memory = module.remember(torch.zeros(*mask.shape, 2, dtype=torch.float64), mask)
    return module, memory, torch.zeros(len(lengths), 2, dtype=torch.float64)


def test_local_m_moves_with_the_target_and_stays_at_the_sources_end():
    module, memory, query = indifferent(LocalMonotonicWindow(2, width=1), [4, 2])
    attended, weights = module.start(memory), []
    for _ in range(6):
        _, weight, attended = module(query, memory, attended)
        weights.append(weight)
    half, third = 1 / 2, 1 / 3
    expected = [[half, half, 0, 0], [third, third, third, 0], [0, third, third, third]] + 3 * [[0, 0, half, half]]
    weights = torch.stack(weights, dim=1)
    assert_same(weights[0], torch.tensor(expected, dtype=torch.float64))
    assert_same(weights[1], torch.tensor([half, half, 0, 0], dtype=torch.float64).expand(6, 4))
    assert (weights[0] == 0).equal(torch.tensor(expected) == 0)


def test_local_m_counts_a_long_target_in_float32():
    torch.manual_seed(5)
    module = GeneralAttention(4, memory_size=4, window=LocalMonotonicWindow(4, width=2))
    memory = module.remember(torch.randn(1, 300, 4), torch.ones(1, 300, dtype=torch.bool))
    attended = module.start(memory)
    with torch.no_grad():
        for position in range(300):
            _, weights, attended = module(3 * torch.randn(1, 4), memory, attended)
            inside = (torch.arange(300) - position).abs() <= 2
            assert (weights[0] > 0).equal(inside)


@pytest.mark.parametrize(
    ("width", "weights"),
    [
        # p = 4 · sigmoid(0) = 2. D = 1, sigma = 1/2: exp(-2), 1, exp(-2) over their sum 1.27067.
        (1, [0.10650698, 0.78698604, 0.10650698, 0]),
        # D = 2, sigma = 1: exp(-1/2), 1, exp(-1/2), exp(-2) over their sum 2.34840; the fourth word is on the edge.
        (2, [0.25827438, 0.42582245, 0.25827438, 0.05762880]),
    ],
)
def test_local_p_by_hand(width, weights):
    window = LocalPredictiveWindow(2, width=width)
    torch.nn.init.zeros_(window.v)
    module, memory, query = indifferent(window, [4, 1])
    assert module(query, memory, module.start(memory))[1][0].tolist() == pytest.approx(weights, abs=1e-7)


def test_local_p_looks_at_each_sentence_by_its_own_length():
    window = LocalPredictiveWindow(2, width=1)
    torch.nn.init.zeros_(window.v)
    module, memory, query = indifferent(window, [8, 6, 2])
    weights = module(query, memory, module.start(memory))[1]
    assert weights.argmax(dim=1).tolist() == [3, 2, 0]
    assert (weights > 0).sum(dim=1).tolist() == [3, 3, 2]


@pytest.mark.parametrize("push", [-1e4, 1e4])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_local_p_holds_a_word_wherever_it_is_pushed(push, dtype):
    window = LocalPredictiveWindow(2, width=1)
    torch.nn.init.ones_(window.project_query.weight)
    window.v.data.fill_(push)
    bias = window.to(dtype)(torch.ones(1, 1, 2, dtype=dtype), torch.ones(1, 300, dtype=torch.bool), torch.zeros(0))
    assert bias.dtype == torch.float32
    assert bias.isfinite().any()
    assert bias[0, 0].argmax() == (0 if push < 0 else 299)


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("window", [LocalMonotonicWindow, LocalPredictiveWindow])
def test_a_window_of_infinite_width_is_the_global_one(score, window):
    make, width, _ = SCORES[score]
    torch.manual_seed(7)
    endless = make(4, memory_size=width, window=window(4, width=math.inf)).double()
    everywhere = make(4, memory_size=width).double()
    everywhere.load_state_dict({name: endless.state_dict()[name] for name in everywhere.state_dict()})
    values, mask = random(2, 7, width), torch.arange(7) < torch.tensor([[7], [4]])
    memory, other = endless.remember(values, mask), everywhere.remember(values, mask)
    attended, other_attended = endless.start(memory), everywhere.start(other)
    for position in range(3):
        query = (random(2, 4) + position).requires_grad_()
        context, weights, attended = endless(query, memory, attended)
        expected, expected_weights, other_attended = everywhere(query, other, other_attended)
        assert torch.equal(weights, expected_weights)
        assert torch.equal(context, expected)
        assert torch.autograd.grad(context.sum(), query, retain_graph=True)[0].isfinite().all()


def test_no_window_is_the_global_one():
    assert isinstance(GeneralAttention(4, memory_size=4).window, GlobalWindow)
    assert GlobalWindow(4)(torch.zeros(1, 1, 4), torch.ones(1, 3, dtype=torch.bool), torch.zeros(1, 1, 0, 3)) is None


@pytest.mark.parametrize("window", [LocalMonotonicWindow, LocalPredictiveWindow])
@pytest.mark.parametrize("width", [0, 0.5, -3, math.nan])
def test_a_window_that_may_hold_no_word_is_refused(window, width):
    with pytest.raises(InputError, match=rf"width={width}: a window narrower than 1 .* or use model/window=global"):
        window(4, width=width)


def kinds(abstract):
    """Find every class below this one that is in use."""
    return {below for kind in abstract.__subclasses__() for below in {kind, *kinds(kind)}}


@pytest.mark.parametrize(
    ("group", "abstract", "sizes"), [("attention", Attention, {"memory_size": 8}), ("window", Window, {})]
)
def test_every_kind_has_a_file_that_builds_it(group, abstract, sizes):
    files = sorted(Path(CONF, "model", group).glob("*.yaml"))
    # A width may follow the data, whose file brings the sizes.
    nodes = [OmegaConf.create({"sizes": {"window": 10}, "part": OmegaConf.load(file)}).part for file in files]
    built = {type(build(node, f"model/{group}")(8, **sizes)) for node in nodes}
    assert len(built) == len(files)
    assert built == {kind for kind in kinds(abstract) if kind.__module__.startswith("s2s.")}
    assert all(file.read_text(encoding="utf-8").startswith("# ") for file in files)
