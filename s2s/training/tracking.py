"""What a run records goes to its metrics, and through Accelerate to TensorBoard, Weights & Biases or MLflow."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

from accelerate import Accelerator
from omegaconf import OmegaConf

from s2s.config import choice_names
from s2s.errors import InputError
from s2s.report.differences import flat_options
from s2s.run import Run

__all__ = ["nobody", "recorder"]

PROJECT = "s2s"
PLAIN = (bool, int, float, str, type(None))


@contextmanager
def nobody() -> Iterator[Callable[[dict[str, Any]], None]]:
    """Yield what takes records and keeps none, for a process that does not write."""
    yield lambda _: None


@contextmanager
def recorder(run: Run, accelerator: Accelerator) -> Iterator[Callable[[dict[str, Any]], None]]:
    """Yield what takes a record of numbers to the run's metrics, and to the trackers that the Accelerator has.

    Raises:
        InputError: a tracker that cannot begin.
    """
    if not accelerator.log_with:
        yield run.log
        return
    config = cast(dict[str, Any], OmegaConf.to_container(run.config))
    options = flat_options(config, choice_names())
    shown = {key: value if isinstance(value, PLAIN) else json.dumps(value) for key, value in options}
    named = {"wandb": {"name": run.folder.name}, "mlflow": {"run_name": run.folder.name}}
    try:
        accelerator.init_trackers(PROJECT, config=shown, init_kwargs=named)
    except Exception as error:  # each has errors of its own
        names, reason = ",".join(map(str, accelerator.log_with)), " ".join(str(error).split())[:200]
        raise InputError(
            f"training.trackers=[{names}] cannot begin ({reason}); Weights & Biases needs `wandb login` or "
            "WANDB_MODE=offline, MLflow a place in MLFLOW_TRACKING_URI"
        ) from error

    def record(line: dict[str, Any]) -> None:
        run.log(line)
        numbers = {name: value["value"] if isinstance(value, dict) else value for name, value in line.items()}
        floats = {f"{line['split']}/{name}": value for name, value in numbers.items() if isinstance(value, float)}
        accelerator.log(floats, step=line["updates"])

    try:
        yield record
    finally:  # not by end_training, which would part the processes
        for tracker in accelerator.trackers:
            tracker.finish()
