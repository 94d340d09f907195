"""What is carried along a running text that several processes read, each some of its streams."""

import torch

from s2s.model.language_model import Carried
from s2s.training.processes import Processes

__all__ = ["carried_by_all", "carried_by_one"]


def carried_by_all(own: Carried | None, processes: Processes) -> Carried | None:
    """Gather what the streams of all processes have left, in the order of the streams; every process takes part."""
    streams = processes.gathered(
        [] if own is None else list(zip(*(part.cpu() for part in own.rnn), own.last.cpu(), strict=True))
    )
    if not streams:
        return None
    *rnn, last = (torch.stack(parts) for parts in zip(*streams, strict=True))
    return Carried(tuple(rnn), last)


def carried_by_one(of_all: Carried | None, streams: int, processes: Processes, device: torch.device) -> Carried | None:
    """Take what the streams of this process go on from; nothing where the text is now cut into another number."""
    if of_all is None or len(of_all.last) != streams or processes.rank >= streams:
        return None
    rnn = tuple(processes.share(part).to(device) for part in of_all.rnn)
    return Carried(rnn, processes.share(of_all.last).to(device))
