"""What a person sees of training while it runs, on stderr: a bar on a terminal, a line now and then elsewhere."""

import time
from types import TracebackType
from typing import Any

import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from s2s.report.metrics import perplexity
from s2s.training.resume import TrainingState

__all__ = ["ProgressDisplay"]

SECONDS_PER_LINE = 30


class ProgressDisplay:
    """Loss, speed and time left; numbers are fetched from the device only when they are shown or recorded."""

    def __init__(self) -> None:
        self.console = Console(stderr=True)
        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:.0f}%"))
        self._bar = Progress(*columns, console=self.console, transient=True, disable=not self.console.is_terminal)
        self._task = self._bar.add_task("starting", total=1.0)
        self._nll: torch.Tensor | float = 0.0
        self._tokens = 0
        self._measured: dict[str, Any] = {}
        self._since = self._shown = time.perf_counter()

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

    def update(self, state: TrainingState, *, share: float, nll: torch.Tensor, tokens: int) -> None:
        """Take in one update: negative log-likelihood in sum over its target tokens, and their number."""
        self._nll, self._tokens = self._nll + nll, self._tokens + tokens
        self._state, self._share = state, share
        now = time.perf_counter()
        if now - self._shown < (0.5 if self.console.is_terminal else SECONDS_PER_LINE):
            return
        self._shown = now
        measured = self.measured()
        left = state.seconds * (1 - share) / max(share, 1e-9)
        text = (
            f"epoch {state.epoch + 1}, update {state.updates:,}: perplexity {measured['perplexity']:.2f}, "
            f"{measured['tokens_per_second']:,.0f} tokens/s, {int(left) // 60}:{int(left) % 60:02d} left"
        )
        if self.console.is_terminal:
            self._bar.update(self._task, completed=share, description=text)
        else:
            self.console.print(text, highlight=False, soft_wrap=True)

    def measured(self) -> dict[str, Any]:
        """Return the numbers since they were last asked for, and start over."""
        if self._tokens:
            now = time.perf_counter()
            nll = float(self._nll) / self._tokens
            self._measured = {
                "loss": nll,
                "perplexity": perplexity(float(self._nll), self._tokens).value,
                "tokens_per_second": self._tokens / (now - self._since),
            }
            self._nll, self._tokens, self._since = 0.0, 0, now
        return {
            "updates": self._state.updates,
            "epoch": self._state.epoch,
            "seconds": round(self._state.seconds, 1),
            **self._measured,
        }
