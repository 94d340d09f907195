"""The Accelerator of a training: it knows the device, and where asked computes in 16 bits and tells trackers."""

from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.tracking import get_available_trackers

from s2s.errors import InputError
from s2s.training.settings import TrainingSettings

__all__ = ["make_accelerator"]

MIXED = {"bfloat16": "bf16", "float16": "fp16"}


def make_accelerator(device: torch.device, settings: TrainingSettings, folder: Path) -> Accelerator:
    """Make the Accelerator of a run.

    A CPU takes its narrow products itself. In float16, whose smallest number is 6e-8, the loss is scaled so that
    gradients do not vanish, and they are scaled back before they are clipped (Micikevicius et al. 2018).

    Args:
        device: where to compute.
        settings: how precisely, and who is told of it.
        folder: of the run, where TensorBoard's files go.

    Raises:
        InputError: float16 on a CPU, or a tracker that is not installed.
    """
    on_cpu = device.type == "cpu"
    if on_cpu and settings.precision == "float16":
        raise InputError("training.precision=float16 needs a GPU; on a CPU take bfloat16, or auto")
    installed = {str(name) for name in get_available_trackers()}
    if missing := [name for name in settings.trackers if name not in installed]:
        raise InputError(f"training.trackers: {missing[0]} is not installed; `pip install 's2s[track]'`")
    AcceleratorState._reset_state(True)  # the jobs of a sweep share a process, and may differ in precision
    return Accelerator(
        cpu=on_cpu,
        mixed_precision="no" if on_cpu else MIXED.get(settings.precision, "no"),
        log_with=list(settings.trackers) or None,
        project_dir=folder / "tensorboard",
    )
