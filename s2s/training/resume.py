"""The state that continues a run: where it stands, and everything the next update depends on."""

import io
import pickle
import re
import zipfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from s2s.errors import InputError
from s2s.model.language_model import Carried
from s2s.report.metrics import perplexity
from s2s.run_files import read_bounded
from s2s.storage import checksum, write_whole
from s2s.training.average import MovingAverage
from s2s.training.portion import Portion

__all__ = ["Tally", "TrainingState", "load_training_state", "save_training_state", "saved_states"]

KEPT_STATES = 2
# The most that a state may have: a weight itself, its average and Adam's moments; and all else.
BYTES_OF_A_WEIGHT, BYTES_OF_ALL_ELSE = 64, 1 << 26
NAME = re.compile(r"\d+-[0-9a-f]{16}\.pt")
UNREADABLE = (RuntimeError, KeyError, TypeError, ValueError, EOFError, pickle.UnpicklingError, zipfile.BadZipFile)


@dataclass
class Tally:
    """Loss over some updates; numbers are fetched from the device only when they are asked for.

    Args:
        nll: negative log-likelihood in sum, in nats.
        tokens: target tokens it covers.
        since: second of training at which counting began.
    """

    nll: Tensor | float = 0.0
    tokens: Tensor | int = 0
    since: float = 0.0

    def add(self, nll: Tensor, tokens: Tensor | int) -> None:
        """Count one update."""
        self.nll, self.tokens = self.nll + nll, self.tokens + tokens

    def measured(self, seconds: float) -> dict[str, float]:
        """Loss and perplexity per target token, and tokens per second up to this second of training."""
        nll, read = float(self.nll), int(self.tokens)
        tokens = max(read, 1)  # there may be none, where all updates were skipped
        return {
            "loss": nll / tokens,
            "perplexity": perplexity(nll, tokens).value,
            "tokens_per_second": read / max(seconds - self.since, 1e-9),
        }


@dataclass
class TrainingState:
    """How far training has come.

    Args:
        epoch: epochs finished.
        portion: portions finished of the epoch under way, as in ``s2s.training.portion``.
        position: updates made of the portion under way; its batches follow from seed, epoch and portion.
        updates: updates of the weights.
        seconds: time spent, validation included.
        scores: one per validation, higher being better; patience and plateaus follow from them.
        validated: updates at the last validation.
        skipped: updates that were not made, as their numbers were not finite; skipped_in_a_row: of these the latest.
        tally: of the updates since the last record of training.
        carried: what the last update left of the running text, where there is one.
        updates_of_portion: how many the portion under way has.
        portions: how many the epoch under way has; None where nobody knows.
        ends_epoch: whether the portion under way is its last.
        readers: of a stream, where its readers stood when the portion under way began, and read_on: will stand after.
    """

    epoch: int = 0
    portion: int = 0
    position: int = 0
    updates: int = 0
    seconds: float = 0.0
    scores: list[float] = field(default_factory=list)
    validated: int = 0
    skipped: int = 0
    skipped_in_a_row: int = 0
    tally: Tally = field(default_factory=Tally)
    carried: Carried | None = None
    updates_of_portion: int = 0
    portions: int | None = 1
    ends_epoch: bool = True
    readers: list[Any] = field(default_factory=list)
    read_on: list[Any] = field(default_factory=list)

    @property
    def epochs(self) -> float:
        """Epochs done, with the share of the one under way as far as it is known."""
        done = self.portion + (self.position / self.updates_of_portion if self.updates_of_portion else 0)
        return self.epoch + (done / self.portions if self.portions else 0)

    @property
    def is_between_epochs(self) -> bool:
        """Whether no update of the epoch under way is made."""
        return self.position == self.portion == 0

    def enter(self, portion: Portion, updates: int) -> None:
        """Find the place in a portion of so many updates, where it had another number with other batches."""
        if self.updates_of_portion:
            self.position = self.position * updates // self.updates_of_portion
        self.updates_of_portion, self.portions = updates, portion.of
        self.ends_epoch, self.read_on = portion.is_last, list(portion.readers)

    def advance(self) -> None:
        """Count one update."""
        self.updates += 1
        self.position += 1
        if self.position == self.updates_of_portion:
            self.leave()

    def leave(self) -> None:
        """Go on to the next portion, or epoch."""
        self.position = self.updates_of_portion = 0
        self.portion, self.readers, self.read_on = self.portion + 1, self.read_on, []
        if self.ends_epoch:
            self.epoch, self.portion, self.readers, self.carried = self.epoch + 1, 0, [], None


def saved_states(folder: Path) -> list[Path]:
    """The states that a run has, the newest first."""
    return sorted((path for path in folder.glob("*.pt") if NAME.fullmatch(path.name)), key=_number, reverse=True)


def save_training_state(
    folder: Path,
    state: TrainingState,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    average: MovingAverage | None = None,
    scaler: torch.amp.GradScaler | None = None,
) -> None:
    """Write the state with weights, their average, optimizer, scale of the loss and random state, whole or not at all.

    The file is ``<number>-<checksum>.pt``; the one before it stays until there is another, so one whole state is always
    there.
    """
    saved: dict[str, Any] = {
        "state": asdict(state),
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "averages": average.averages if average else None,
        "scaler": scaler.state_dict() if scaler else None,
        "random": torch.get_rng_state(),
        "random_cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }
    buffer = io.BytesIO()
    torch.save(saved, buffer)
    content = buffer.getvalue()
    before = saved_states(folder)
    number = _number(before[0]) + 1 if before else 1
    write_whole(folder / f"{number}-{checksum(content)}.pt", content)
    for old in before[KEPT_STATES - 1 :]:
        old.unlink()


def load_training_state(
    folder: Path,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    average: MovingAverage | None = None,
    scaler: torch.amp.GradScaler | None = None,
    *,
    say: Callable[[str], None],
) -> TrainingState:
    """Put everything back as it was saved, so that the next update is the one that would have followed.

    Where the newest state is damaged, the one before it is taken, and training makes the updates between once more.

    Args:
        folder: of the states.
        model, optimizer, average, scaler: what is put back, in place.
        say: takes a line for each damaged state.

    Raises:
        InputError: no state is whole, or it is not this model's.
    """
    states, weights = saved_states(folder), sum(weight.numel() for weight in model.parameters())
    for place, path in enumerate(states):
        content = read_bounded(path, BYTES_OF_A_WEIGHT * weights + BYTES_OF_ALL_ELSE)
        if checksum(content) != path.stem.partition("-")[2]:
            say(f"{path} is damaged: what it holds has the checksum {checksum(content)}; going on from the one before")
            continue
        state = _restored(path, content, model, optimizer, average, scaler)
        for damaged in states[:place]:
            damaged.unlink()  # else it would count as one of the two that are kept
        return state
    found = f"{len(states)} there, all damaged" if states else "none there"
    raise InputError(f"{folder} has no whole state to go on from ({found}); copy the run again or train a new one")


def _restored(
    path: Path,
    content: bytes,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    average: MovingAverage | None,
    scaler: torch.amp.GradScaler | None,
) -> TrainingState:
    """Put back what one file holds."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:  # small files that grow as they are read are no states
            if any(record.compress_type != zipfile.ZIP_STORED for record in archive.infolist()):
                raise ValueError("it holds compressed records, which torch never writes")
        saved = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        if average:  # a run that is averaged from here on begins with the weights it has
            average.load(saved["averages"] or list(model.parameters()))
        if scaler and saved.get("scaler"):  # else it finds its scale anew
            scaler.load_state_dict(saved["scaler"])
        torch.set_rng_state(saved["random"])
        if torch.cuda.is_available() and len(saved["random_cuda"]) == torch.cuda.device_count():
            torch.cuda.set_rng_state_all(saved["random_cuda"])
        fields = {**saved["state"], "tally": Tally(**saved["state"]["tally"])}
        fields.pop("updates_per_epoch", None)  # of a run that was begun before epochs had portions
        if carried := fields.get("carried"):
            fields["carried"] = Carried(**carried)
        return TrainingState(**fields)
    except UNREADABLE as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{path} does not continue this run ({reason}); copy it again or train a new run") from error


def _number(path: Path) -> int:
    """The number of a saved state."""
    return int(path.stem.partition("-")[0])
