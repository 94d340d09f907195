"""The state that continues a run: where it stands, and everything the next update depends on."""

import os
import pickle
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from s2s.errors import InputError
from s2s.report.metrics import perplexity
from s2s.training.average import MovingAverage

__all__ = ["Tally", "TrainingState", "load_training_state", "save_training_state"]


@dataclass
class Tally:
    """Loss over some updates; numbers are fetched from the device only when they are asked for.

    Args:
        nll: negative log-likelihood in sum, in nats.
        tokens: target tokens it covers.
        since: second of training at which counting began.
    """

    nll: Tensor | float = 0.0
    tokens: int = 0
    since: float = 0.0

    def add(self, nll: Tensor, tokens: int) -> None:
        """Count one update."""
        self.nll, self.tokens = self.nll + nll, self.tokens + tokens

    def measured(self, seconds: float) -> dict[str, float]:
        """Loss and perplexity per target token, and tokens per second up to this second of training."""
        nll = float(self.nll)
        return {
            "loss": nll / self.tokens,
            "perplexity": perplexity(nll, self.tokens).value,
            "tokens_per_second": self.tokens / max(seconds - self.since, 1e-9),
        }


@dataclass
class TrainingState:
    """How far training has come.

    Args:
        epoch: epochs finished.
        position: updates made in the epoch under way; its batches follow from seed and epoch.
        updates: updates of the weights.
        seconds: time spent, validation included.
        scores: one per validation, higher being better; patience and plateaus follow from them.
        validated: updates at the last validation.
        tally: of the updates since the last record of training.
    """

    epoch: int = 0
    position: int = 0
    updates: int = 0
    seconds: float = 0.0
    scores: list[float] = field(default_factory=list)
    validated: int = 0
    tally: Tally = field(default_factory=Tally)

    def advance(self, updates_per_epoch: int) -> None:
        """Count one update."""
        self.updates += 1
        self.position += 1
        if self.position == updates_per_epoch:
            self.epoch, self.position = self.epoch + 1, 0


def save_training_state(
    path: Path,
    state: TrainingState,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    average: MovingAverage | None = None,
) -> None:
    """Write the state with weights, their average, optimizer and random generators, whole or not at all."""
    saved: dict[str, Any] = {
        "state": asdict(state),
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "averages": average.averages if average else None,
        "random": torch.get_rng_state(),
        "random_cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }
    partial = path.with_suffix(".partial")
    torch.save(saved, partial)
    os.replace(partial, path)


def load_training_state(
    path: Path, model: nn.Module, optimizer: torch.optim.Optimizer, average: MovingAverage | None = None
) -> TrainingState:
    """Put everything back as it was saved, so that the next update is the one that would have followed.

    Raises:
        InputError: there is no state, or it is not this model's.
    """
    if not path.is_file():
        raise InputError(f"{path} is missing: the run was never saved, or is finished and packed; train a new one")
    try:
        saved = torch.load(path, map_location="cpu", weights_only=True)
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        if average:  # a run that is averaged from here on begins with the weights it has
            average.load(saved["averages"] or list(model.parameters()))
        torch.set_rng_state(saved["random"])
        if torch.cuda.is_available() and len(saved["random_cuda"]) == torch.cuda.device_count():
            torch.cuda.set_rng_state_all(saved["random_cuda"])
        return TrainingState(**{**saved["state"], "tally": Tally(**saved["state"]["tally"])})
    except (RuntimeError, KeyError, TypeError, ValueError, EOFError, pickle.UnpicklingError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{path} does not continue this run ({reason}); copy it again or train a new run") from error
