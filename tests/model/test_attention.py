"""Attention: scores as the papers write them, weights that see real tokens alone, queries that do not meet."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from paper_attention import SCORES, WINDOWS, look
from tiny_models import assert_same

from s2s.errors import InputError
from s2s.model.attention import (
    AdditiveAttention,
    ConcatAttention,
    DotAttention,
    GeneralAttention,
    Memory,
    NoAttention,
    NormalisedAdditiveAttention,
    ScaledDotAttention,
)
from s2s.model.multihead_attention import MultiHeadAttention
from s2s.model.position_attention import CoverageAttention, LocationAttention, LocationSensitiveAttention
from s2s.model.window import GlobalWindow, LocalMonotonicWindow

every_score = pytest.mark.parametrize("score", SCORES)
every_window = pytest.mark.parametrize("window", WINDOWS)
LENGTHS = [6, 3, 1]
MASK = torch.arange(6) < torch.tensor(LENGTHS)[:, None]
LOOKING_BACK = {"location-sensitive", "coverage", "coverage with fertility"}


def random(*shape):
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(sum(shape)))


def attention(score, window="global"):
    """Make a score in a window, with random weights in float64, those that start at zero too."""
    make, width, _ = SCORES[score]
    module = make(4, memory_size=width, window=WINDOWS[window][0](4)).double()
    generator = torch.Generator().manual_seed(11)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_(generator=generator)
    return module


def memory_of(module):
    """Make a memory of three sentences; padding is zero, as the encoder leaves it."""
    return module.remember(random(3, 6, module.memory_size) * MASK[..., None], MASK)


def start_of(module, memory, queries=1):
    return module.start(memory).repeat_interleave(queries, dim=0)


def positions(module, memory, queries):
    """Look at three positions in a row, several queries per sentence: contexts, weights, attended, a list of each."""
    attended, looks = start_of(module, memory, queries), []
    for position in range(3):
        query = random(3 * queries, 4 + position)[:, :4]
        context, weights, attended = module(query, memory, attended)
        looks.append((query, context, weights, attended))
    return looks


@every_score
@every_window
def test_weights_and_context_are_the_papers_equations(score, window):
    module = attention(score, window)
    states = random(3, 6, module.memory_size).numpy()
    pasts = [[] for _ in range(6)]
    for query, context, weights, attended in positions(module, memory_of(module), queries=2):
        for row, past in enumerate(pasts):
            length = LENGTHS[row // 2]
            expected, expected_weights = look(
                score, window, module, query[row].numpy(), states[row // 2, :length], past
            )
            past.append(expected_weights)
            np.testing.assert_allclose(weights[row, :length].detach(), expected_weights, rtol=1e-10, atol=1e-14)
            np.testing.assert_allclose(context[row].detach(), expected, rtol=1e-10, atol=1e-12)
            if module.needs_past:
                expected_past = np.stack([past[-1], np.sum(past, axis=0)])
                np.testing.assert_allclose(attended[row, :, :length].detach(), expected_past, rtol=1e-10, atol=1e-14)


@every_score
@every_window
def test_the_parts_are_the_windows_factor_at_every_position(score, window):
    module, made = attention(score, window), WINDOWS[window][1]
    memory = memory_of(module)
    p = {name.removesuffix(".weight"): tensor.numpy() for name, tensor in module.state_dict().items()}
    before = start_of(module, memory, queries=2)
    for position, (query, _, weights, attended) in enumerate(positions(module, memory, queries=2), 1):
        parts = module.parts(query, memory, before)
        assert module.has_parts == bool(parts)
        assert ("window" in parts) == (window != "global")
        for row, factors in enumerate(parts.get("window", [])):
            length = LENGTHS[row // 2]
            expected = made(p, query[row].numpy(), length, position)
            np.testing.assert_allclose(factors[:length].detach(), expected, rtol=1e-10, atol=1e-14)
            assert not factors[length:].any()
        heads = [head for name, head in parts.items() if name != "window"]
        if heads:
            assert_same(torch.stack(heads).mean(dim=0), weights, 1e-12)
        before = attended


def set_weights(module, **weights):
    """Give a module weights by name, and zero to all others."""
    for name, parameter in module.named_parameters():
        torch.nn.init.zeros_(parameter)
        key = name.removesuffix(".weight")
        if key in weights:
            parameter.data = torch.tensor(weights.pop(key), dtype=torch.float64).view_as(parameter)
    assert not weights
    return module.double()


def by_hand(module, query, past=((0, 0), (0, 0))):
    """Look once at the two states (1, 0) and (0, 1): context and weights."""
    memory = module.remember(torch.eye(2, dtype=torch.float64)[None], torch.ones(1, 2, dtype=torch.bool))
    attended = torch.tensor([past], dtype=torch.float64) if module.needs_past else module.start(memory)
    context, weights, _ = module(torch.tensor([query], dtype=torch.float64), memory, attended)
    return context[0].tolist(), weights[0].tolist()


# tanh(±30) is ±1 in float64: with v = log(3) / 2, a state pushed up has three times the weight of one pushed down.
UP_AND_DOWN = {"project_query": [0, 60], "project_memory": [30, -30]}


@pytest.mark.parametrize(
    ("module", "query", "weights"),
    [
        (DotAttention(2, memory_size=2), [math.log(3), 0], [3 / 4, 1 / 4]),
        (DotAttention(2, memory_size=2), [0, math.log(4)], [1 / 5, 4 / 5]),
        (ScaledDotAttention(2, memory_size=2), [math.sqrt(2) * math.log(3), 0], [3 / 4, 1 / 4]),
        (
            set_weights(GeneralAttention(2, memory_size=2), project_memory=[0, 1, 2, 0]),
            [math.log(3), math.log(2)],
            [4 / 7, 3 / 7],
        ),
        (
            set_weights(AdditiveAttention(2, memory_size=2, hidden_size=1), v=[math.log(3) / 2], **UP_AND_DOWN),
            [1, 0],
            [3 / 4, 1 / 4],
        ),
        (
            set_weights(AdditiveAttention(2, memory_size=2, hidden_size=1), v=[math.log(3) / 2], **UP_AND_DOWN),
            [0, 1],
            [1 / 2, 1 / 2],
        ),
        (
            set_weights(
                NormalisedAdditiveAttention(2, memory_size=2, hidden_size=2),
                v=[3.0, 4.0],
                g=5 * math.log(2),
                project_memory=[30, -30, 0, 30],
            ),
            [1, 0],
            [2**3 / (2**3 + 2), 2 / (2**3 + 2)],
        ),
        (
            set_weights(
                NormalisedAdditiveAttention(2, memory_size=2, hidden_size=1),
                v=[7.0],
                g=math.log(3) / 2,
                b=[60.0],
                **UP_AND_DOWN,
            ),
            [1, 0],
            [1 / 2, 1 / 2],
        ),
        (
            set_weights(
                ConcatAttention(2, memory_size=2), v=[math.log(3) / 2, 0], project=[0, 60, 30, -30, 0, 0, 0, 0]
            ),
            [1, 0],
            [3 / 4, 1 / 4],
        ),
        (
            set_weights(LocationAttention(2, memory_size=2, max_length=2), project_query=[1, 0, 0, 2]),
            [math.log(6), math.log(3)],
            [6 / 15, 9 / 15],
        ),
        (
            set_weights(LocationAttention(2, memory_size=2, max_length=1), project_query=[-9, 0]),
            [1, 0],
            [1, 0],
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, torch.nn.Module) else None,
)
def test_a_score_by_hand(module, query, weights):
    assert by_hand(module, query) == (pytest.approx(weights, abs=1e-15), pytest.approx(weights, abs=1e-15))


def test_location_sensitive_attention_by_hand():
    options = {"hidden_size": 1, "filters": 1, "filter_width": 3}
    module = LocationSensitiveAttention(2, memory_size=2, **options)
    # The filter reads the word to the left, so the weight goes one word further.
    set_weights(module, v=[math.log(3)], convolve=[1, 0, 0], project_features=[60])
    assert by_hand(module, [0, 0])[1] == pytest.approx([1 / 2, 1 / 2])
    assert by_hand(module, [0, 0], past=([1, 0], [1, 0]))[1] == pytest.approx([1 / 4, 3 / 4])


def test_coverage_attention_by_hand():
    module = CoverageAttention(2, memory_size=2, hidden_size=1)
    set_weights(module, v=[math.log(3)], w=[-60])
    assert by_hand(module, [0, 0])[1] == pytest.approx([1 / 2, 1 / 2])
    assert by_hand(module, [0, 0], past=([0, 1], [1, 0]))[1] == pytest.approx([1 / 4, 3 / 4])


def test_coverage_attention_with_a_fertility_by_hand():
    # N = 4 and u = 0 make two words of each; tanh(2 log 2 · 1/2) = 3/5.
    module = CoverageAttention(2, memory_size=2, hidden_size=1, fertility=4)
    set_weights(module, v=[math.log(3) * 5 / 3], w=[2 * math.log(2)])
    assert by_hand(module, [0, 0], past=([0, 1], [1, 0]))[1] == pytest.approx([3 / 4, 1 / 4])


def test_multi_head_attention_by_hand():
    module = MultiHeadAttention(2, memory_size=2, heads=2)
    identity = [1, 0, 0, 1]
    set_weights(
        module, project_query=identity, project_memory=identity, project_values=identity, project_context=[0, 1, 1, 0]
    )
    # One head sees the first half of everything, 3/4 of (1, 0); the other the second half, 4/5 of (0, 1).
    context, weights = by_hand(module, [math.log(3), math.log(4)])
    assert context == pytest.approx([4 / 5, 3 / 4])
    assert weights == pytest.approx([(3 / 4 + 1 / 5) / 2, (1 / 4 + 4 / 5) / 2])


@every_score
@every_window
def test_weights_are_one_in_sum_and_zero_on_padding(score, window):
    module = attention(score, window)
    memory = memory_of(module)
    for _, _, weights, _ in positions(module, memory, queries=2):
        weights = weights.view(3, 2, 6)
        assert_same(weights.sum(dim=-1), torch.ones(3, 2, dtype=torch.float64))
        assert (weights >= 0).all()
        assert (weights[~memory.mask[:, None].expand_as(weights)] == 0).all()


@every_score
def test_every_real_token_has_a_weight_where_the_window_is_global(score):
    module = attention(score)
    memory = memory_of(module)
    short = score == "location of short sentences"
    for _, _, weights, _ in positions(module, memory, queries=1):
        assert ((weights > 0) == (memory.mask & (torch.arange(6) < (5 if short else 6)))).all()


def test_padding_has_no_weight_however_low_the_scores_of_real_tokens_are():
    values = torch.tensor([[[1.0], [2.0], [0.0]]], dtype=torch.float64)
    memory = Memory(values, values, torch.tensor([[True, True, False]]))
    module = DotAttention(1, memory_size=1)
    context, weights, _ = module(torch.tensor([[-1e9]], dtype=torch.float64), memory, module.start(memory))
    assert weights.tolist() == [[1, 0, 0]]
    assert context.tolist() == [[1]]


@every_score
@every_window
def test_a_source_of_one_word_has_all_the_weight(score, window):
    module = attention(score, window)
    for _, _, weights, _ in positions(module, memory_of(module), queries=1):
        assert weights[2].tolist() == [1, 0, 0, 0, 0, 0]


@every_score
@pytest.mark.parametrize("window", ["global", "local-m of 1", "local-p of 2.5"])
@pytest.mark.parametrize("garbage", [math.nan, math.inf, 1e200])
def test_keys_of_padding_are_not_seen_whatever_they_hold(score, window, garbage):
    module = attention(score, window)
    memory = memory_of(module)
    spoilt = Memory(memory.values, memory.keys.masked_fill(~memory.mask[..., None], garbage), memory.mask)
    for seen, expected in zip(positions(module, spoilt, 2), positions(module, memory, 2), strict=True):
        for part, same in zip(seen, expected, strict=True):
            assert torch.equal(part, same)


@every_score
@every_window
def test_more_padding_changes_nothing(score, window):
    module = attention(score, window)
    memory = memory_of(module)
    pad = torch.nn.functional.pad
    longer = Memory(pad(memory.values, (0, 0, 0, 3)), pad(memory.keys, (0, 0, 0, 3)), pad(memory.mask, (0, 3)))
    for seen, expected in zip(positions(module, longer, 2), positions(module, memory, 2), strict=True):
        assert_same(seen[1], expected[1])
        assert_same(seen[2], pad(expected[2], (0, 3)))


@every_score
@every_window
def test_rows_of_one_sentence_are_the_same_as_sentences_with_a_memory_each(score, window):
    module = attention(score, window)
    memory = memory_of(module)
    copied = memory.select(torch.arange(3).repeat_interleave(2))
    shared, own = start_of(module, memory, 2), start_of(module, copied)
    for position in range(3):
        queries = random(6, 4 + position)[:, :4]
        together, apart = module(queries, memory, shared), module(queries, copied, own)
        assert_same(together, apart)
        shared, own = together[2], apart[2]


@every_score
@every_window
def test_a_selected_memory_gives_what_its_sentences_gave(score, window):
    module = attention(score, window)
    memory = memory_of(module)
    chosen = torch.tensor([2, 0])
    _, _, _, attended = positions(module, memory, queries=1)[0]
    queries = random(3, 4)
    expected = [part[chosen] for part in module(queries, memory, attended)]
    assert_same(module(queries[chosen], memory.select(chosen), attended[chosen]), tuple(expected))


@every_score
@every_window
def test_the_past_is_kept_only_where_something_reads_it(score, window):
    module = attention(score, window)
    memory = memory_of(module)
    attended = module.start(memory)
    assert module.needs_past == (score in LOOKING_BACK or window.startswith("local-m"))
    assert attended.shape == (3, 2 if module.needs_past else 0, 6)
    assert not attended.any()
    assert (module(random(3, 4), memory, attended)[2] is attended) == (not module.needs_past)


@every_score
@every_window
def test_gradients_are_finite(score, window):
    module = attention(score, window).float()
    values = random(3, 6, module.memory_size).float().requires_grad_()
    memory = module.remember(values * MASK[..., None], MASK)
    attended, queries = module.start(memory), random(3, 4).float().requires_grad_()
    total = torch.zeros(())
    for position in range(3):
        context, weights, attended = module(queries + position, memory, attended)
        total = total + context.square().sum() + weights.square().sum()
    total.backward()
    for tensor in [values, queries, *module.parameters()]:
        if tensor.grad is not None:
            assert tensor.grad.isfinite().all()
    assert values.grad.any()
    unused = [name for name, tensor in module.named_parameters() if tensor.grad is None or not tensor.grad.any()]
    assert unused == []


@every_score
@every_window
def test_weights_are_float32_even_where_states_are_narrower(score, window):
    module = attention(score, window).bfloat16()
    memory = module.remember(random(3, 6, module.memory_size).bfloat16(), MASK)
    attended = module.start(memory)
    for _ in range(2):
        context, weights, attended = module(random(3, 4).bfloat16(), memory, attended)
        assert (context.dtype, weights.dtype, attended.dtype) == (torch.bfloat16, torch.float32, torch.float32)
        assert_same(weights.sum(dim=-1), torch.ones(3), tolerance=1e-6)


@every_score
@every_window
def test_weights_are_float32_under_autocast(score, window):
    module = attention(score, window).float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        memory = module.remember(random(3, 6, module.memory_size).float(), MASK)
        attended = module.start(memory)
        for _ in range(2):
            _, weights, attended = module(random(3, 4).float(), memory, attended)
            assert (weights.dtype, attended.dtype) == (torch.float32, torch.float32)
            assert_same(weights.sum(dim=-1), torch.ones(3), tolerance=1e-6)


@pytest.mark.parametrize("fertility", [None, 2])
def test_coverage_that_weighs_nothing_is_additive_attention(fertility):
    coverage, additive = CoverageAttention(4, memory_size=6, fertility=fertility), AdditiveAttention(4, memory_size=6)
    additive.load_state_dict({name: coverage.state_dict()[name] for name in additive.state_dict()})
    coverage, additive = coverage.double(), additive.double()
    torch.nn.init.zeros_(coverage.w)
    one, other = positions(coverage, memory_of(coverage), 2), positions(additive, memory_of(additive), 2)
    for look_of_one, look_of_other in zip(one, other, strict=True):
        assert_same(look_of_one[1:3], look_of_other[1:3])


def test_multi_head_attention_with_one_head_and_identities_is_the_scaled_dot():
    multihead, scaled = MultiHeadAttention(4, memory_size=4, heads=1).double(), ScaledDotAttention(4, memory_size=4)
    for parameter in multihead.parameters():
        torch.nn.init.eye_(parameter)
    one, other = positions(multihead, memory_of(multihead), 2), positions(scaled, memory_of(scaled), 2)
    for look_of_one, look_of_other in zip(one, other, strict=True):
        assert_same(look_of_one[1:3], look_of_other[1:3])


def test_a_normalised_vector_has_its_direction_alone():
    module = attention("normalised additive")
    memory, query = memory_of(module), random(3, 4)
    expected = module(query, memory, module.start(memory))
    module.v.data *= 100
    assert_same(module(query, memory, module.start(memory)), expected)
    assert NormalisedAdditiveAttention(4, memory_size=6, hidden_size=25).g.item() == pytest.approx(1 / 5)


def test_words_beyond_the_last_row_share_the_weight_where_the_window_holds_no_others():
    module = LocationAttention(4, memory_size=6, max_length=2, window=LocalMonotonicWindow(4, width=1)).double()
    weights = [weights[0].tolist() for _, _, weights, _ in positions(module, memory_of(module), queries=1)]
    assert weights[2] == [0, 1, 0, 0, 0, 0]
    attended = torch.zeros(3, 2, 6, dtype=torch.float64)
    attended[:, 1, 0] = 3
    _, weights, _ = module(random(3, 4), memory_of(module), attended)
    assert weights[0].tolist() == pytest.approx([0, 0, 1 / 3, 1 / 3, 1 / 3, 0])


def test_no_attention_gives_nothing():
    module = NoAttention(4, memory_size=6, window=GlobalWindow(4))
    mask = torch.ones(2, 5, dtype=torch.bool)
    memory = module.remember(torch.zeros(2, 5, 6).bfloat16(), mask)
    attended = module.start(memory)
    context, weights, after = module(torch.zeros(6, 4).bfloat16(), memory, attended)
    assert module.context_size == 0
    assert not module.needs_past
    assert (memory.values.shape, memory.keys.shape, memory.mask.shape) == ((2, 5, 0), (2, 5, 0), (2, 5))
    assert (context.shape, weights.shape, attended.shape) == ((6, 0), (6, 0), (2, 0, 5))
    assert (context.dtype, weights.dtype) == (torch.bfloat16, torch.float32)
    assert after is attended
    assert module.energy(torch.zeros(2, 3, 4), memory, attended).shape == (2, 3, 0)


def test_no_attention_has_no_window():
    with pytest.raises(
        InputError, match=r"none looks at nothing, got a LocalMonotonicWindow for it; use model/window="
    ):
        NoAttention(4, memory_size=6, window=LocalMonotonicWindow(4, width=2))


@every_score
def test_a_context_is_as_wide_as_the_encoder_states(score):
    module = attention(score)
    assert module.context_size == module.memory_size == positions(module, memory_of(module), 1)[0][1].shape[1]


@pytest.mark.parametrize("score", [DotAttention, ScaledDotAttention])
def test_a_dot_of_unequal_widths_is_refused(score):
    with pytest.raises(InputError, match="one width, got 4 and 3; use model/attention=general or"):
        score(4, memory_size=3)


@pytest.mark.parametrize(
    ("score", "options", "message"),
    [
        (AdditiveAttention, {"hidden_size": 0}, r"hidden_size=0 is no width; give 1 or more, or null"),
        (LocationAttention, {"max_length": 0}, r"max_length=0 is no number of positions; give 1"),
        (LocationSensitiveAttention, {"filters": 0}, r"filters=0 is no number of filters; give 1"),
        (LocationSensitiveAttention, {"filter_width": 4}, r"filter_width=4: .* needs a middle; give an odd number"),
        (LocationSensitiveAttention, {"filter_width": -1}, r"filter_width=-1: .* needs a middle; give an odd number"),
        (CoverageAttention, {"fertility": 0}, r"fertility=0 is no number of words; give 1 or more, or null"),
        (CoverageAttention, {"fertility": math.nan}, r"fertility=nan is no number of words; give 1"),
        (MultiHeadAttention, {"heads": 0}, r"heads=0 is no number of heads; give 1"),
        (MultiHeadAttention, {"heads": 3}, r"shares decoder states .* a width of 4 for 3; set model.attention.heads"),
        (MultiHeadAttention, {"heads": 4}, r"shares encoder states .* a width of 6 for 4; set model.attention.heads"),
    ],
)
def test_an_option_that_cannot_be_is_refused(score, options, message):
    with pytest.raises(InputError, match=message):
        score(4, memory_size=6, **options)


def test_additive_attention_takes_a_width_of_its_own():
    module = AdditiveAttention(4, memory_size=3, hidden_size=7)
    assert module.keys(torch.zeros(1, 2, 3)).shape == (1, 2, 7)
    assert AdditiveAttention(4, memory_size=3).keys(torch.zeros(1, 2, 3)).shape == (1, 2, 4)


@every_score
def test_a_position_out_of_sight_gets_nothing_and_the_others_share_as_if_it_were_not_there(score):
    module = attention(score)
    memory, query = memory_of(module), random(3, 4)
    visible = torch.tensor([[True, False, True, True, False, True], [True, True, False] + [True] * 3, [True] * 6])
    _, weights, _ = module(query, memory, start_of(module, memory))
    context, seen, _ = module(query, replace(memory, visible=visible), start_of(module, memory))
    assert (seen[~visible | ~MASK] == 0).all()
    assert_same(seen.sum(dim=1), torch.ones(3, dtype=torch.float64))
    if not isinstance(module, MultiHeadAttention):  # of which each head shares by its own weights
        left = weights * visible
        assert_same(seen, left / left.sum(dim=1, keepdim=True))
        assert_same(context, (seen[:, None] @ memory.values)[:, 0])


def test_sight_follows_the_sentences_that_are_kept():
    memory = memory_of(attention("dot"))
    visible = torch.tensor([[True] * 6, [False, True] * 3, [True] * 6])
    kept = replace(memory, visible=visible).select(torch.tensor([1, 2]))
    assert kept.visible.tolist() == [[False, True] * 3, [True] * 6]
    assert memory.select(torch.tensor([0])).visible is None
