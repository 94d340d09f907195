"""Updates are made where their numbers are finite, without waiting for a GPU to say whether they are."""

import torch
from torch import Tensor

from s2s.training.average import MovingAverage
from s2s.training.mishaps import MOST_SKIPPED

__all__ = ["Guard"]


class Guard:
    """Make an update where its numbers are finite, leave all as it is where not, and know later which was which.

    On a CPU the numbers are at hand. A GPU computes far behind the program, and to look at a number is to wait for it;
    so the flag goes to the optimizer's fused kernel, which leaves everything as it is where it is set, and to the
    average. Flags are read many at a time.

    Args:
        optimizer: as Accelerate prepares it.
        average: of the weights; None for none.
        scaler: of the loss in float16, which has to know of every update; None for none.
        device: of the weights.
    """

    def __init__(
        self,
        optimizer: torch.optim.Optimizer,
        average: MovingAverage | None,
        scaler: torch.amp.GradScaler | None,
        device: torch.device,
    ) -> None:
        self.optimizer, self.average, self.scaler = optimizer, average, scaler
        self._of_torch: torch.optim.Optimizer = optimizer.optimizer  # type: ignore[attr-defined]
        # torch's own word for an optimizer that heeds `found_inf`: a fused one.
        fused = getattr(self._of_torch, "_step_supports_amp_scaling", False)
        self.defers = device.type != "cpu" and fused and scaler is None
        self._unread = list[tuple[int, Tensor]]()

    def step(self, number: int, finite: Tensor) -> None:
        """Make the update of this number where the flag, (), is true."""
        self._unread.append((number, finite))
        if self.defers:
            self._of_torch.found_inf = (~finite).float()  # type: ignore[attr-defined]
            self.optimizer.step()
            if self.average:
                self.average.update(number, finite)
        elif finite:
            self.optimizer.step()
            if self.average:
                self.average.update(number)
        elif self.scaler:
            self.scaler.update()  # to a lower one

    @property
    def is_due(self) -> bool:
        """Whether it is time to read: always where that costs nothing, else when many have come together."""
        return not self.defers or len(self._unread) >= MOST_SKIPPED

    def read(self) -> list[tuple[int, bool]]:
        """Which updates were made, of those that have not been read: their numbers, and whether they were."""
        if not self._unread:
            return []
        numbers, flags = zip(*self._unread, strict=True)
        self._unread = []
        return list(zip(numbers, torch.stack(flags).tolist(), strict=True))
