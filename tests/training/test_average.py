"""Averages of weights."""

import pytest
import torch
from safetensors.torch import load_file

from s2s.errors import InputError
from s2s.train import prepare
from s2s.training.average import MovingAverage, average_checkpoints


def test_a_moving_average_forgets_its_beginning_and_then_keeps_its_share():
    model, decay = torch.nn.Linear(3, 2).double(), 0.6
    average = MovingAverage(model, decay)
    expected = model.weight.detach().clone()
    for update in range(1, 20):
        with torch.no_grad():
            model.weight.normal_(generator=torch.Generator().manual_seed(update))
        average.update(update)
        kept = min(decay, (1 + update) / (10 + update))
        expected = kept * expected + (1 - kept) * model.weight.detach()
    assert kept == decay
    torch.testing.assert_close(average.averages[0], expected, rtol=0, atol=1e-12)


def test_the_averages_are_the_weights_inside_the_block_alone():
    model = torch.nn.Linear(3, 2)
    before, average = model.weight.detach().clone(), MovingAverage(model, 0.5)
    average.averages[0].fill_(7.0)
    with average.in_place():
        assert bool((model.weight == 7).all())
    assert torch.equal(model.weight, before)
    assert bool((average.averages[0] == 7).all())


def test_the_average_is_what_a_run_keeps_and_the_weights_go_on_as_they_would_without(create_run, same):
    options = ("training.steps=6", "training.validate_every=6")
    trainers = []
    for decay in (0.9, "null"):
        trainers.append(prepare(create_run(*options, f"training.moving_average={decay}"))[0])
        assert trainers[-1].train()
    averaged, plain = trainers
    assert same(averaged.model.state_dict(), plain.model.state_dict())
    kept = load_file(averaged.run.weights)
    names = {id(weight): name for name, weight in averaged.model.named_parameters()}
    weights = dict(zip(names.values(), averaged.average.averages, strict=True))
    assert all(torch.equal(weights[name], tensor) for name, tensor in kept.items() if name in weights)
    assert not torch.equal(kept["readout.bias"], averaged.model.readout.bias)


@pytest.mark.parametrize("decay", [0, 1, -0.5, 1.5])
def test_a_decay_that_averages_nothing_is_refused(create_run, decay):
    with pytest.raises(InputError, match=rf"training.moving_average={decay} is no decay; give a number such as 0.999"):
        prepare(create_run(f"training.moving_average={decay}"))


@pytest.mark.parametrize("tied", ["true", "false"])
def test_the_average_of_checkpoints_is_the_mean_of_each_weight(create_run, tied):
    run = create_run(
        "training.steps=3", "training.validate_every=1", "training.keep_checkpoints=3", f"model.tie_readout={tied}"
    )
    assert prepare(run)[0].train()
    files = list(run.kept_checkpoints().values())
    saved = [load_file(path) for path in files]
    averaged = average_checkpoints(run, files).state_dict()
    assert len(saved) == 3
    for name in saved[0]:
        mean = sum(one[name].double() for one in saved) / 3
        torch.testing.assert_close(averaged[name].double(), mean, rtol=1e-7, atol=1e-9)
    assert not torch.equal(saved[0]["readout.bias"], averaged["readout.bias"])
    assert torch.equal(averaged["readout.weight"], averaged["embedding.weight"]) == (tied == "true")


def test_a_damaged_checkpoint_is_refused(create_run):
    run = create_run("training.steps=1", "training.keep_checkpoints=1")
    assert prepare(run)[0].train()
    (path,) = run.kept_checkpoints().values()
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(
        InputError, match=r"checkpoints/1\.safetensors does not hold this run's weights .*copy it again"
    ):
        average_checkpoints(run, [path])
