"""Gates worked out by hand are the reference cells in value and gradient, by one position and by all.

Equalities are of float64 to 1e-9, rtol and atol, unless a test says otherwise.
"""

import gc
import weakref
from dataclasses import replace
from functools import partial

import pytest
import torch
from tiny_models import assert_same
from tiny_recurrent import first_state, inputs, some_draws, stack

from s2s.model.gates import GRU_GATES, LSTM_GATES, RELU_GATE, TANH_GATE, gates_serve, scan, update
from s2s.model.layer_scan import reversed_rows, scan_by_gates, scan_by_loop
from s2s.model.product import GatheredProducts, linear, narrow_products, plain, products_by

GATES = {"lstm": LSTM_GATES, "gru": GRU_GATES, "rnn": TANH_GATE, "rnn relu": RELU_GATE}
# Of three sequences: all of five positions, ragged, ragged with none that is full, one position each, one in all.
LENGTHS = {
    "equal": (5, None),
    "ragged": (5, [2, 5, 1]),
    "padded": (5, [3, 1, 4]),
    "one": (5, [1, 1, 1]),
    "T=1": (1, None),
}
# Of outputs and final parts, those that the loss reads.
READS = {
    "all": lambda outputs, final: [outputs, *final],
    "outputs": lambda outputs, final: [outputs],
    "final state": lambda outputs, final: list(final),
    "last part": lambda outputs, final: [final[-1]],
}

every_gate = pytest.mark.parametrize("name", GATES)
every_read = pytest.mark.parametrize("read", READS)
every_lengths = pytest.mark.parametrize("lengths", LENGTHS)


def reference(name, **options):
    """The cell of the same equations that autograd goes through."""
    cell, _, nonlinearity = name.partition(" ")
    return stack(f"{cell}_reference {nonlinearity}".strip(), **options)


def drawn(*shape):
    """Draw what takes a gradient, the same numbers each time for the same shape."""
    random = torch.Generator().manual_seed(sum(shape))
    return torch.randn(shape, dtype=torch.float64, generator=random).requires_grad_()


def leaves_of(cell, *shape):
    """Inputs (*shape, 3), parts of the state (N, D) for N = shape[0], and all weights: each takes a gradient."""
    state = [part[:, 0].clone().requires_grad_() for part in first_state(cell, shape[0])]
    return inputs(*shape).requires_grad_(), state, list(cell.parameters())


def weighed(parts):
    """A sum in which every number has a weight of its own."""
    random = torch.Generator().manual_seed(13)
    return sum((part * torch.randn(part.shape, dtype=torch.float64, generator=random)).sum() for part in parts)


def gradients(parts, leaves):
    """Of a weighed sum; None for a leaf that has no share in it."""
    return torch.autograd.grad(weighed(parts), leaves, allow_unused=True)


def assert_same_gradients(actual, expected):
    """Compare gradients, where None is as good as zeros."""
    assert any(gradient is not None and gradient.any() for gradient in expected)
    for got, wanted in zip(actual, expected, strict=True):
        if got is None or wanted is None:
            assert not any(gradient is not None and gradient.any() for gradient in (got, wanted))
        else:
            assert_same(got, wanted, 1e-9)


def real_positions(positions, lengths):
    """Which positions are no padding, (T, N, 1); None for all."""
    return None if lengths is None else (torch.arange(positions)[:, None] < torch.tensor(lengths))[..., None]


# One position.


@every_gate
@pytest.mark.parametrize("thinned", [False, True])
@pytest.mark.parametrize("read", [[0], [-1], [0, -1]], ids=["h", "last part", "both"])
@pytest.mark.parametrize("rows", [1, 3])
def test_an_update_is_that_of_the_reference(rows, read, thinned, name):
    """And where the products read h thinned, as under variational dropout, h itself has the rest of the gradient."""
    cell, share = reference(name), torch.tensor([2.0, 0.0, 0.0, 2.0] if thinned else 1.0, dtype=torch.float64)
    x, state, weights = leaves_of(cell, rows)
    weight_ih, weight_hh, bias_ih, bias_hh = weights
    expected = cell.cell(x, state[0] * share, tuple(state), weights)
    from_hidden = linear(state[0] * share, weight_hh, bias_hh)
    actual = update(GATES[name], linear(x, weight_ih, bias_ih), from_hidden, tuple(state))
    assert_same(actual, expected, 1e-9)
    leaves = [x, *state, *weights]
    wanted, got = (gradients([after[part] for part in read], leaves) for after in (expected, actual))
    assert_same_gradients(got, wanted)


@every_gate
@pytest.mark.parametrize("gathered", [False, True], ids=["plain", "gathered"])
def test_updates_one_after_another_are_those_of_the_reference(gathered, name):
    cell = reference(name)
    x, state, weights = leaves_of(cell, 3, 5)
    weight_ih, weight_hh, bias_ih, bias_hh = weights

    def run(after):
        now, outputs = tuple(state), []
        for position in x.unbind(dim=1):
            now = after(position, now)
            outputs.append(now[0])
        return [*outputs, *now]

    def by_gates(position, now):
        return update(GATES[name], linear(position, weight_ih, bias_ih), linear(now[0], weight_hh, bias_hh), now)

    expected = run(lambda position, now: cell.cell(position, now[0], now, weights))
    with products_by(GatheredProducts() if gathered else plain):
        actual = run(by_gates)
    assert_same(actual, expected, 1e-9)
    leaves = [x, *state, *weights]
    assert_same_gradients(gradients(actual, leaves), gradients(expected, leaves))


@every_gate
def test_the_gradient_of_an_update_is_that_of_small_differences(name):
    cell = reference(name)
    sums = [drawn(2, 4 * cell.gates), (0.5 - drawn(2, 4 * cell.gates)).detach().requires_grad_()]
    state = [drawn(2, 4) for _ in range(cell.state_parts)]
    assert torch.autograd.gradcheck(
        lambda from_input, from_hidden, *state: update(GATES[name], from_input, from_hidden, state), [*sums, *state]
    )


@every_gate
def test_both_sums_have_a_gradient_of_their_own(name):
    """One that is written to leaves the other as it is."""
    cell = reference(name)
    sums = [drawn(2, 4 * cell.gates) for _ in range(2)]
    state = tuple(drawn(2, 4) for _ in range(cell.state_parts))
    weighed(update(GATES[name], *sums, state)).backward()
    before = sums[1].grad.clone()
    sums[0].grad.zero_()
    assert torch.equal(sums[1].grad, before)


@every_gate
def test_an_update_leaves_what_it_reads_as_it_is(name):
    cell = reference(name)
    read = [torch.randn(2, 4 * cell.gates) for _ in range(2)] + [torch.randn(2, 4) for _ in range(cell.state_parts)]
    before = [part.clone() for part in read]
    update(GATES[name], *read[:2], tuple(read[2:]))
    assert all(torch.equal(part, same) for part, same in zip(read, before, strict=True))


# All positions, forward.


def scanned(gates, x, state, weights, lengths):
    """``scan`` with its arguments in the order of the loop: outputs (N, T, H), zero on padding, and the final state."""
    real = real_positions(x.shape[1], lengths)
    outputs, final = scan(gates, x.transpose(0, 1), tuple(state), weights, real)
    return (outputs if real is None else outputs.masked_fill(~real, 0)).transpose(0, 1), final


def looped(cell, x, state, weights, lengths):
    """The reference, position by position."""
    one_way = len(weights) == 4
    updates = [
        lambda position, now, own=own: cell.cell(position, now[0], now, own)
        for own in ([weights] if one_way else [weights[:4], weights[4:]])
    ]
    return scan_by_loop(updates, x, tuple(state), None if lengths is None else torch.tensor(lengths))


@every_gate
@every_lengths
@every_read
def test_a_scan_is_that_of_the_reference(read, lengths, name):
    cell, (positions, lengths) = reference(name), LENGTHS[lengths]
    x, state, weights = leaves_of(cell, 3, positions)
    expected = looped(cell, x, state, weights, lengths)
    actual = scanned(GATES[name], x, state, weights, lengths)
    assert_same(actual, expected, 1e-9)
    leaves = [x, *state, *weights]
    wanted, got = (gradients(READS[read](*results), leaves) for results in (expected, actual))
    assert_same_gradients(got, wanted)


@every_gate
@pytest.mark.parametrize("position", [0, 2, 4])
def test_the_gradient_of_one_output_is_that_of_the_reference(position, name):
    cell = reference(name)
    x, state, weights = leaves_of(cell, 3, 5)
    leaves = [x, *state, *weights]
    wanted, got = (
        gradients([outputs[:, position]], leaves)
        for outputs, _ in (
            looped(cell, x, state, weights, [2, 5, 3]),
            scanned(GATES[name], x, state, weights, [2, 5, 3]),
        )
    )
    assert_same_gradients(got, wanted)


@every_gate
@pytest.mark.parametrize("frozen", ["inputs", "state", "weights", "all but inputs", "all but state", "all but weights"])
def test_what_takes_no_gradient_keeps_none_from_taking_it(frozen, name):
    cell = reference(name)
    x, state, weights = leaves_of(cell, 3, 5)
    groups = {"inputs": [x], "state": state, "weights": weights}
    for group, parts in groups.items():
        if frozen.startswith("all but") != frozen.endswith(group):
            for part in parts:
                part.requires_grad_(False)
    leaves = [part for part in (x, *state, *weights) if part.requires_grad]
    wanted, got = (
        gradients(READS["all"](*results), leaves)
        for results in (looped(cell, x, state, weights, [2, 5, 1]), scanned(GATES[name], x, state, weights, [2, 5, 1]))
    )
    assert_same_gradients(got, wanted)


@every_gate
@pytest.mark.parametrize("lengths", [None, [1, 3], [2, 2]], ids=str)
def test_the_gradient_of_a_scan_is_that_of_small_differences(lengths, name):
    cell, real = reference(name), real_positions(3, lengths)
    gates, parts = cell.gates, cell.state_parts
    leaves = [drawn(3, 2, 3), *(drawn(2, 2) for _ in range(parts)), drawn(2 * gates, 3), drawn(2 * gates, 2)]
    leaves += [drawn(2 * gates), drawn(2 * gates)]

    def run(x, *others):
        outputs, final = scan(GATES[name], x, others[:parts], others[parts:], real)
        return outputs, *final

    assert torch.autograd.gradcheck(run, leaves)


@every_gate
def test_a_sequence_that_has_ended_keeps_its_last_state(name):
    cell = reference(name)
    x, state, weights = leaves_of(cell, 3, 5)
    outputs, final = scan(GATES[name], x.transpose(0, 1), tuple(state), weights, real_positions(5, [2, 5, 1]))
    for row, length in enumerate([2, 5, 1]):
        alone, ended = scan(
            GATES[name],
            x[row : row + 1, :length].transpose(0, 1),
            tuple(part[row : row + 1] for part in state),
            weights,
            None,
        )
        assert_same(outputs[:length, row], alone[:, 0], 1e-9)
        assert_same(outputs[length:, row], ended[0].expand(5 - length, 4), 1e-9)
        assert_same([part[row] for part in final], [part[0] for part in ended], 1e-9)


@every_gate
def test_going_back_twice_gives_the_gradient_twice(name):
    cell = reference(name)
    x, state, weights = leaves_of(cell, 3, 5)
    leaves = [x, *state, *weights]
    loss = weighed(READS["all"](*scanned(GATES[name], x, state, weights, [2, 5, 1])))
    loss.backward(retain_graph=True)
    once = [leaf.grad.clone() for leaf in leaves]
    loss.backward()
    assert_same([leaf.grad for leaf in leaves], [2 * gradient for gradient in once], 1e-9)


@every_gate
def test_without_gradient_a_scan_gives_the_same(name):
    cell = reference(name)
    x, state, weights = leaves_of(cell, 3, 5)
    expected = scanned(GATES[name], x, state, weights, [2, 5, 1])
    for without in (torch.no_grad, torch.inference_mode):
        with without():
            outputs, final = scanned(GATES[name], x, state, weights, [2, 5, 1])
        assert not outputs.requires_grad
        assert all(
            torch.equal(part, same) for part, same in zip((outputs, *final), (expected[0], *expected[1]), strict=True)
        )


@every_gate
def test_in_float32_a_scan_is_that_in_float64_to_its_precision(name):
    """To 1e-4."""
    cell = reference(name)
    x, state, weights = leaves_of(cell, 3, 5)
    leaves, narrow = [x, *state, *weights], [part.detach().float().requires_grad_() for part in (x, *state, *weights)]
    expected = READS["all"](*scanned(GATES[name], x, state, weights, [2, 5, 1]))
    state, weights = narrow[1 : 1 + cell.state_parts], narrow[1 + cell.state_parts :]
    actual = READS["all"](*scanned(GATES[name], narrow[0], state, weights, [2, 5, 1]))
    assert {part.dtype for part in actual} == {torch.float32}
    assert_same([part.double() for part in actual], expected, 1e-4)
    wanted, got = gradients(expected, leaves), gradients(actual, narrow)
    assert_same([gradient.double() for gradient in got], list(wanted), 1e-4)


@every_gate
def test_among_narrow_products_a_scan_is_nearly_that_in_float64(name):
    """Values to 1 %, each gradient to 3 % of its length; ``W x`` is taken outside, so what differs is ``U h``."""
    cell = reference(name)
    x, state, weights = leaves_of(cell, 3, 5)
    leaves, narrow = [x, *state, *weights], [part.detach().float().requires_grad_() for part in (x, *state, *weights)]
    state_, weights_ = narrow[1 : 1 + cell.state_parts], narrow[1 + cell.state_parts :]
    wide = READS["all"](*scanned(GATES[name], narrow[0], state_, weights_, [2, 5, 1]))
    expected = READS["all"](*scanned(GATES[name], x, state, weights, [2, 5, 1]))
    with narrow_products():
        actual = READS["all"](*scanned(GATES[name], narrow[0], state_, weights_, [2, 5, 1]))
    assert any(not torch.equal(part, same) for part, same in zip(actual, wide, strict=True))
    assert {part.dtype for part in actual} == {torch.float32}
    assert_same([part.double() for part in actual], expected, 1e-2)
    for got, wanted in zip(gradients(actual, narrow), gradients(expected, leaves), strict=True):
        assert got.dtype == torch.float32
        assert (got.double() - wanted).norm() <= 0.03 * wanted.norm()


# All positions, in one direction or both.


@every_gate
@every_lengths
@pytest.mark.parametrize("directions", [1, 2])
@every_read
def test_a_layer_by_gates_is_the_loop_over_the_reference(read, directions, lengths, name):
    cell, (positions, lengths) = reference(name, bidirectional=directions == 2), LENGTHS[lengths]
    x, state, weights = leaves_of(cell, 3, positions)
    expected = looped(cell, x, state, weights, lengths)
    ways = [weights[4 * way : 4 * way + 4] for way in range(directions)]
    actual = scan_by_gates(GATES[name], x, tuple(state), ways, None if lengths is None else torch.tensor(lengths))
    assert_same(actual, expected, 1e-9)
    leaves = [x, *state, *weights]
    wanted, got = (gradients(READS[read](*results), leaves) for results in (expected, actual))
    assert_same_gradients(got, wanted)


@every_gate
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("bidirectional", [False, True])
@every_lengths
def test_a_stack_on_gates_is_the_stack_of_the_reference(lengths, bidirectional, layers, name):
    positions, lengths = LENGTHS[lengths]
    results = []
    for build in (stack, reference):
        cell = build(name, num_layers=layers, bidirectional=bidirectional)
        x, state = inputs(3, positions).requires_grad_(), [part.requires_grad_() for part in first_state(cell, 3)]
        given = None if lengths is None else torch.tensor(lengths)
        outputs, final = cell.scan(x, lengths=given, state=tuple(state))
        results.append(((outputs, final), gradients([outputs, *final], [x, *state, *cell.parameters()])))
    (actual, got), (expected, wanted) = results
    assert_same(actual, expected, 1e-9)
    assert_same_gradients(got, wanted)


@every_gate
@pytest.mark.parametrize("directions", [1, 2])
@pytest.mark.parametrize("unread", [float("nan"), float("inf"), 1e9])
def test_padding_is_never_read_and_gets_nothing_back(unread, directions, name):
    cell, lengths = reference(name, bidirectional=directions == 2), torch.tensor([2, 5, 1])
    x, state, weights = leaves_of(cell, 3, 5)
    padding = torch.arange(5) >= lengths[:, None]
    spoilt = x.detach().masked_fill(padding[..., None], unread).requires_grad_()
    ways = [weights[4 * way : 4 * way + 4] for way in range(directions)]
    results = [scan_by_gates(GATES[name], read, tuple(state), ways, lengths) for read in (x, spoilt)]
    assert_same(results[1], results[0], 1e-9)
    outputs, _ = results[1]
    assert (outputs[padding] == 0).all()
    wanted, got = (
        gradients(READS["all"](*result), [read, *state, *weights])
        for result, read in zip(results, (x, spoilt), strict=True)
    )
    assert_same_gradients(got, wanted)
    assert (got[0][padding] == 0).all()


# Under dropout's masks.


def some_mask(kind, positions, directions=1):
    """Which units of h three sequences keep: the same at all positions, (3, D), or others at each, (T, 3, D)."""
    shape = (3, 4 * directions) if kind == "of sequences" else (positions, 3, 4 * directions)
    return 2.0 * torch.randint(2, shape, generator=torch.Generator().manual_seed(15)).double()


def looped_under(mask, cell, x, state, ways, lengths):
    """The reference, position by position, its products reading h under a mask."""
    positions, updates = x.shape[1], []
    for direction, weights in enumerate(ways):
        own = iter(mask.expand(positions, 3, -1).chunk(len(ways), dim=-1)[direction])

        def update(position, now, own=own, weights=weights):
            return cell.cell(position, now[0] * next(own), now, weights)

        updates.append(update)
    return scan_by_loop(updates, x, tuple(state), None if lengths is None else torch.tensor(lengths))


@every_gate
@every_lengths
@pytest.mark.parametrize("directions", [1, 2])
@pytest.mark.parametrize("kind", ["of sequences", "of positions"])
def test_a_layer_by_gates_under_a_mask_is_the_loop_under_it(kind, directions, lengths, name):
    """To 1e-10: products and their weight gradients read h thinned, and whatever else reads h has all of it."""
    cell, (positions, lengths) = reference(name, bidirectional=directions == 2), LENGTHS[lengths]
    x, state, weights = leaves_of(cell, 3, positions)
    ways, mask = [weights[4 * way : 4 * way + 4] for way in range(directions)], some_mask(kind, positions, directions)
    expected = looped_under(mask, cell, x, state, ways, lengths)
    given = None if lengths is None else torch.tensor(lengths)
    actual = scan_by_gates(GATES[name], x, tuple(state), ways, given, mask)
    assert_same(actual, expected, 1e-10)
    leaves = [x, *state, *weights]
    wanted, got = (gradients(READS["all"](*results), leaves) for results in (expected, actual))
    assert_same_gradients(got, wanted)
    unthinned = scan_by_gates(GATES[name], x, tuple(state), ways, given)
    assert (unthinned[0] - actual[0]).abs().max() > 1e-3


@every_gate
@pytest.mark.parametrize("lengths", [None, [1, 3, 2]], ids=str)
@pytest.mark.parametrize("kind", ["of sequences", "of positions"])
def test_the_gradient_of_a_scan_under_a_mask_is_that_of_small_differences(kind, lengths, name):
    cell, real, mask = reference(name), real_positions(3, lengths), some_mask(kind, 3)
    gates, parts = cell.gates, cell.state_parts
    leaves = [drawn(3, 3, 3), *(drawn(3, 4) for _ in range(parts)), drawn(4 * gates, 3), drawn(4 * gates, 4)]
    leaves += [drawn(4 * gates), drawn(4 * gates)]

    def run(x, *others):
        outputs, final = scan(GATES[name], x, others[:parts], others[parts:], real, mask)
        return outputs, *final

    assert torch.autograd.gradcheck(run, leaves)


@every_gate
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("lengths", [None, torch.tensor([2, 5, 1])], ids=["equal", "ragged"])
def test_a_stack_under_masks_is_the_stack_of_the_reference_under_them(lengths, bidirectional, name):
    results = []
    for build in (stack, reference):
        cell = build(name, num_layers=2, bidirectional=bidirectional)
        x, state = inputs(3, 5).requires_grad_(), [part.requires_grad_() for part in first_state(cell, 3)]
        outputs, final = cell.scan(x, lengths=lengths, state=tuple(state), draws=some_draws(cell, 3))
        results.append(((outputs, final), gradients([outputs, *final], [x, *state, *cell.parameters()])))
    (actual, got), (expected, wanted) = results
    assert_same(actual, expected, 1e-10)
    assert_same_gradients(got, wanted)


@every_gate
def test_a_mask_lets_no_cell_back_into_the_loop(name, monkeypatch):
    monkeypatch.setattr("s2s.model.recurrent.scan_by_loop", None)
    cell = stack(name, bidirectional=True, variational_dropout=0.5, weight_dropout=0.5).train()
    for lengths in (None, torch.tensor([2, 4, 1])):
        assert cell.scan(inputs(3, 4), lengths=lengths)[0].shape == (3, 4, 8)


def test_rows_are_turned_round_within_their_lengths():
    rows = torch.tensor([[1, 2, 3, 4], [5, 6, 0, 0], [7, 8, 9, 0], [3, 0, 0, 0]])
    turned = [[4, 3, 2, 1], [6, 5, 0, 0], [9, 8, 7, 0], [3, 0, 0, 0]]
    assert reversed_rows(rows, torch.tensor([4, 2, 3, 1])).tolist() == turned
    assert reversed_rows(rows[..., None, None], torch.tensor([4, 2, 3, 1]))[..., 0, 0].tolist() == turned


def test_padding_stays_where_it_is():
    rows = torch.tensor([[1, 2, 10, 20, 30], [3, 4, 5, 10, 20]])
    assert reversed_rows(rows, torch.tensor([2, 3])).tolist() == [[2, 1, 10, 20, 30], [5, 4, 3, 10, 20]]


def test_rows_without_lengths_are_turned_round_whole():
    rows = inputs(3, 4)
    assert torch.equal(reversed_rows(rows, None), reversed_rows(rows, torch.tensor([4, 4, 4])))
    assert torch.equal(reversed_rows(rows, None)[:, 0], rows[:, 3])


@pytest.mark.parametrize("lengths", [None, torch.tensor([4, 1, 3])], ids=["equal", "ragged"])
def test_rows_turned_round_twice_are_as_they_were_and_so_is_their_gradient(lengths):
    rows = inputs(3, 4)
    assert torch.equal(reversed_rows(reversed_rows(rows, lengths), lengths), rows)
    assert torch.equal(
        reversed_rows(rows.transpose(0, 1).contiguous().transpose(0, 1), lengths), reversed_rows(rows, lengths)
    )
    assert torch.autograd.gradcheck(partial(reversed_rows, lengths=lengths), rows.requires_grad_())


# What is kept.


@every_gate
@pytest.mark.parametrize("lengths", [None, [2, 5, 1]], ids=["equal", "ragged"])
def test_a_scan_is_freed_with_the_last_reference(lengths, name):
    """No cycle is left for the garbage collector, which would come when it likes."""
    cell = reference(name)
    x, state, weights = leaves_of(cell, 3, 5)
    gc.disable()
    try:
        gates = replace(GATES[name])  # a copy, which is held by the graph alone
        outputs, final = scanned(gates, x, state, weights, lengths)
        watched = [weakref.ref(part) for part in (gates, outputs, *final)]
        weighed([outputs, *final]).backward()
        del gates, outputs, final
        assert [watch() for watch in watched] == [None] * len(watched)
    finally:
        gc.enable()


@every_gate
def test_an_update_is_freed_with_the_last_reference(name):
    cell = reference(name)
    sums = [drawn(2, 4 * cell.gates) for _ in range(2)]
    state = tuple(drawn(2, 4) for _ in range(cell.state_parts))
    gc.disable()
    try:
        gates = replace(GATES[name])
        after = update(gates, *sums, state)
        after = update(gates, *sums, after)
        watched = [weakref.ref(part) for part in (gates, *after)]
        weighed(after).backward()
        del gates, after
        assert [watch() for watch in watched] == [None] * len(watched)
    finally:
        gc.enable()


def test_gates_serve_a_cpu_in_one_precision():
    assert gates_serve(torch.ones(1))
    assert not gates_serve(torch.ones(1, device="meta"))
    with torch.autocast("cpu", torch.bfloat16):
        assert not gates_serve(torch.ones(1))
