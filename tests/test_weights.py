"""A file of weights, and the memory of the machine, are looked at before a model is made."""

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from s2s import weights
from s2s.errors import InputError
from s2s.memory import machine_memory
from s2s.weights import check_memory, check_weights


class Tied(nn.Module):
    """Two layers that share their weight."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Linear(3, 3, bias=False), nn.Linear(3, 3)
        self.two.weight = self.one.weight


@pytest.mark.parametrize("names", [("one.weight",), ("two.weight",), ("one.weight", "two.weight")])
def test_a_weight_that_is_shared_may_be_written_under_any_of_its_names(tmp_path, names):
    save_file({**{name: torch.ones(3, 3) for name in names}, "two.bias": torch.ones(3)}, tmp_path / "x.safetensors")
    with torch.device("meta"):
        check_weights(tmp_path / "x.safetensors", Tied())


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"one.weight": None}, r"'one.weight' is not there in it and F32 3x3 in the model"),
        ({"two.bias": torch.ones(4)}, r"'two.bias' is F32 4 in it and F32 3 in the model"),
        ({"two.bias": torch.tensor(1.0)}, r"'two.bias' is F32 alone in it"),
        ({"two.bias": torch.ones(3, dtype=torch.float64)}, r"'two.bias' is F64 3 in it and F32 3 in the model"),
        ({"three": torch.ones(1)}, r"'three' is F32 1 in it and not there in the model"),
    ],
)
def test_weights_that_differ_are_named(tmp_path, changes, line):
    whole = {"one.weight": torch.ones(3, 3), "two.bias": torch.ones(3)} | changes
    save_file({name: weight for name, weight in whole.items() if weight is not None}, tmp_path / "x.safetensors")
    with pytest.raises(InputError, match=rf"does not hold this run's weights \({line}.*\); copy it again"):
        check_weights(tmp_path / "x.safetensors", Tied())


def test_a_model_that_is_larger_than_the_machine_is_refused(monkeypatch):
    monkeypatch.setattr(weights, "machine_memory", lambda: 16 * 10**9)
    with torch.device("meta"):
        check_memory(nn.Linear(10**9, 4, bias=False))
        large = nn.Linear(10**9, 5)
    with pytest.raises(InputError, match=r"weights would take 20 GB, and this machine has 16 GB; give smaller sizes"):
        check_memory(large)
    monkeypatch.setattr(weights, "machine_memory", lambda: None)
    check_memory(large)


def test_the_memory_of_the_machine_is_told_where_the_system_tells_it(monkeypatch):
    assert machine_memory() is None or machine_memory() > 2**28

    def unknown(name):
        raise ValueError

    monkeypatch.setattr("os.sysconf", unknown)
    assert machine_memory() is None
