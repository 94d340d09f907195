"""The numbers that training computes in, and the Accelerator that sees to it on a device."""

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState

from s2s.errors import InputError

__all__ = ["make_accelerator"]

MIXED = {"bfloat16": "bf16", "float16": "fp16"}


def make_accelerator(device: torch.device, precision: str) -> Accelerator:
    """Make what moves a model to a device, and on a GPU computes in 16 bits where that is asked for.

    A CPU takes its narrow products itself. In float16, whose smallest number is 6e-8, the loss is scaled so that
    gradients do not vanish, and they are scaled back before they are clipped (Micikevicius et al. 2018).

    Raises:
        InputError: float16 on a CPU.
    """
    on_cpu = device.type == "cpu"
    if on_cpu and precision == "float16":
        raise InputError("training.precision=float16 needs a GPU; on a CPU take bfloat16, or auto")
    AcceleratorState._reset_state(True)  # the jobs of a sweep share a process, and may differ in precision
    return Accelerator(cpu=on_cpu, mixed_precision="no" if on_cpu else MIXED.get(precision, "no"))
