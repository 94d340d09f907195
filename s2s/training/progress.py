"""What is seen of training: a bar on a terminal or a line now and then elsewhere, on stderr."""

import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from torch import Tensor

from s2s.training.resume import Tally, TrainingState

__all__ = ["ProgressDisplay"]

SECONDS_PER_LINE = 30


class ProgressDisplay:
    """Loss, speed and time left.

    Args:
        since: second of training at which it begins.
        silent: show nothing.
    """

    def __init__(self, *, since: float = 0.0, silent: bool = False) -> None:
        self.console = Console(stderr=True, quiet=silent)
        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:.0f}%"))
        self._bar = Progress(*columns, console=self.console, transient=True, disable=not self.console.is_terminal)
        self._task = self._bar.add_task("starting", total=1.0)
        self._tally = Tally(since=since)
        self._shown = time.perf_counter()

    def __enter__(self) -> "ProgressDisplay":
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def note(self, text: str) -> None:
        """Show what is being done instead of training."""
        self._bar.update(self._task, description=text)

    def update(self, state: TrainingState, *, share: float, nll: Tensor, tokens: Tensor | int) -> None:
        """Take in one update: negative log-likelihood in sum over its target tokens, and their number."""
        self._tally.add(nll, tokens)
        now = time.perf_counter()
        if now - self._shown < (0.5 if self.console.is_terminal else SECONDS_PER_LINE):
            return
        measured = self._tally.measured(state.seconds)
        self._shown, self._tally = now, Tally(since=state.seconds)
        left = state.seconds * (1 - share) / max(share, 1e-9)
        text = (
            f"epoch {state.epoch + 1}, update {state.updates:,}: loss {measured['loss']:.3f}, "
            f"{measured['tokens_per_second']:,.0f} tokens/s, {int(left) // 60}:{int(left) % 60:02d} left"
        )
        if self.console.is_terminal:
            self._bar.update(self._task, completed=share, description=text)
        else:
            self.console.print(text, highlight=False, soft_wrap=True)
