"""A device that is never asked: whatever would make a program wait for a GPU is an error, on a machine without one.

Tensors of the ``meta`` device have no numbers, so nothing can be read from them, and the code takes them for those of a
GPU. What is left to be refused are copies to the device that wait for it, tensors of the CPU where the device's own are
expected, and operations that look at numbers on a GPU alone.
"""

from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

# What reads numbers of lengths on the CPU, as cuDNN's kernels do.
READ_ON_THE_CPU = ("aten::_pack_padded_sequence", "aten::_pack_padded_sequence_backward", "aten::_pad_packed_sequence")


def is_of_cpu(value: Any) -> bool:
    """Whether it is a tensor of the CPU; a single number goes to a GPU with the work itself."""
    return isinstance(value, Tensor) and value.device.type == "cpu" and value.dim() > 0


def is_on_device(value: Any) -> bool:
    """Whether it is a tensor of the device."""
    return isinstance(value, Tensor) and value.device.type == "meta"


@contextmanager
def nothing_asked():
    """Refuse in a block whatever would wait for a GPU."""
    with Operations(), Calls():
        yield


class Operations(TorchDispatchMode):
    """Refuse operations of torch that wait for the device."""

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        result = operation(*args, **(kwargs or {}))
        name, given = operation._schema.name, tree_leaves((args, kwargs))
        assert name != "aten::multinomial", "multinomial asks a GPU whether it is given probabilities"
        if name in ("aten::_to_copy", "aten::copy_"):
            sides = tree_leaves(result) if name == "aten::_to_copy" else [args[0]]
            waits = not (kwargs or {}).get("non_blocking") and (name == "aten::_to_copy" or len(args) < 3)
            crosses = any(map(is_on_device, sides)) and any(
                isinstance(value, Tensor) and value.device.type == "cpu" for value in given
            )
            assert not (crosses and waits), f"{operation} copies to the device and waits"
        elif name not in READ_ON_THE_CPU and any(map(is_on_device, tree_leaves(result))):
            assert not any(map(is_of_cpu, given)), f"{operation} on the device is given a tensor of the CPU"
        return result


class Calls(TorchFunctionMode):
    """Refuse what makes a tensor of Python numbers on the device, which is copied there and waited for."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        if function in (Tensor.__getitem__, Tensor.__setitem__) and is_on_device(args[0]):
            indices = args[1] if isinstance(args[1], tuple) else (args[1],)
            assert not any(isinstance(index, list) for index in indices), "a list as an index is copied to the device"
        made = function in (torch.tensor, torch.as_tensor, torch.asarray)
        assert not (made and is_on_device(result)), f"{function.__name__} copies numbers to the device and waits"
        return result
