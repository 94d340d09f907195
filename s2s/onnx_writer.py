"""A translator as two ONNX graphs, run by onnxruntime as search and scoring ask a model."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from s2s.errors import InputError
from s2s.model.ensemble import WordList
from s2s.run import GRAPHS, Run
from s2s.text.batching import Batch, Sequences
from s2s.text.tokenizer import BOS

__all__ = ["ENCODER", "NEXT", "STEP", "OnnxState", "OnnxWriter", "check_installed", "graphs_of"]

ENCODER, STEP = GRAPHS
NEXT = "next_"  # before the name of a part of the state: what it is after the position
TYPES = {"tensor(int64)": "int64", "tensor(float)": "float32", "tensor(bool)": "bool"}


@dataclass(frozen=True)
class OnnxState:
    """What goes from position to position, by name: (B, …) of sentences, (B, K, …) of rows, which ``of_rows`` names."""

    named: Mapping[str, Tensor]
    of_rows: Set[str]

    def select(self, rows: Tensor) -> "OnnxState":
        """Reorder or repeat rows within their sentences; what is of sentences stays."""
        return replace(self, named={name: self._selected(name, rows) for name in self.named})

    def keep(self, sentences: Tensor) -> "OnnxState":
        """Keep these sentences with all their rows."""
        return replace(self, named={name: part[sentences] for name, part in self.named.items()})

    def _selected(self, name: str, rows: Tensor) -> Tensor:
        part = self.named[name]
        return part.flatten(0, 1)[rows].view(len(part), -1, *part.shape[2:]) if name in self.of_rows else part


def graphs_of(runs: Sequence[Run], *, device: str | None, precision: str) -> "OnnxWriter | None":
    """The graphs of a run that was exported so; None where runs have weights.

    Args:
        runs: those that are to translate together.
        device, precision: as asked for.

    Raises:
        InputError: graphs among several runs, or with another device or precision than they have.
    """
    exported = [run.folder for run in runs if run.has_graphs()]
    if not exported:
        return None
    for reason, remedy in (
        (len(runs) > 1 and f"{len(runs)} runs translate together", "give the runs with their weights"),
        (device not in (None, "cpu") and f"device={device}", "leave device= out"),
        (precision != "float32" and f"precision={precision}", "leave precision= out"),
    ):
        if reason:
            raise InputError(
                f"{reason}, but {exported[0]} has ONNX graphs, which run alone on a CPU in float32; {remedy}"
            )
    return OnnxWriter(exported[0])


class OnnxWriter:
    """Two graphs as a ``Writer``: ``encoder.onnx`` reads sources, ``step.onnx`` writes one position; on a CPU.

    A step takes ``tokens`` and the state, and gives ``log_probs``, ``attention`` unless the model has none, and the
    state after it. What has a ``next_`` among its results is of rows, all else of sentences.

    Args:
        folder: of an exported run.

    Raises:
        InputError: onnxruntime is not installed, or the files are no such graphs.
    """

    def __init__(self, folder: Path) -> None:
        check_installed("onnxruntime")
        import onnxruntime

        # Search works on several batches at the same time, each of which has a thread then.
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._sessions = {}
        for file in (ENCODER, STEP):
            try:
                self._sessions[file] = onnxruntime.InferenceSession(
                    folder / file, options, providers=["CPUExecutionProvider"]
                )
            except Exception as error:  # of classes that onnxruntime does not name in public
                raise _refusal(folder / file, error) from error
        self.folder = folder
        self.signature = {file: _signature(session) for file, session in self._sessions.items()}
        taken, given = self.signature[STEP]
        self._of_rows = {name.removeprefix(NEXT) for name in given if name.startswith(NEXT)}
        self._parts = taken.keys() - {"tokens"}
        if not ("log_probs" in given and self._of_rows < self._parts <= self.signature[ENCODER][1].keys()):
            raise InputError(f"{folder} holds no graphs of a translator; export the run again")

    @property
    def has_attention(self) -> bool:
        """Whether the model looks at the source."""
        return "attention" in self.signature[STEP][1]

    def start(self, source: Sequences, listed: WordList | None = None) -> OnnxState:
        """See ``Writer``; all words may be used.

        Raises:
            InputError: a list of words.
        """
        if listed is not None:
            raise InputError("an exported graph scores all words; leave shortlist= out")
        found = self._run(ENCODER, {"ids": source.ids, "lengths": source.lengths})
        return OnnxState({name: found[name] for name in self._parts}, self._of_rows)

    def step(self, tokens: Tensor, state: OnnxState) -> tuple[Tensor, Tensor, OnnxState]:
        """See ``Writer``."""
        sentences = len(next(iter(state.named.values())))
        found = self._run(STEP, {"tokens": tokens.view(sentences, -1), **state.named})
        following = {name: found[NEXT + name] for name in self._of_rows}
        log_probs = found["log_probs"].flatten(0, 1)
        attention = found["attention"].flatten(0, 1) if self.has_attention else log_probs[:, :0]
        return log_probs, attention, replace(state, named={**state.named, **following})

    def force(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """See ``Writer``."""
        assert batch.target is not None
        state, tokens, steps = self.start(batch.source), torch.full_like(batch.target.lengths, BOS), []
        for true in batch.target.ids.unbind(dim=1):
            *found, state = self.step(tokens, state)
            steps.append(found)
            tokens = true
        log_probs, attention = zip(*steps, strict=True)
        return torch.stack(log_probs, dim=1), torch.stack(attention, dim=1)

    def _run(self, file: str, given: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """What a graph makes of what is given, by name."""
        taken, names = self.signature[file]
        try:
            found = self._sessions[file].run(list(names), {name: given[name].numpy() for name in taken})
        except Exception as error:
            raise _refusal(self.folder / file, error) from error
        return {name: torch.from_numpy(part) for name, part in zip(names, found, strict=True)}


def check_installed(*packages: str) -> None:
    """Raise an InputError for a package that ONNX needs and that is not installed."""
    for package in packages:
        try:
            __import__(package)
        except ImportError:
            raise InputError(f"ONNX needs {package}, which is not installed; `pip install 's2s[onnx]'`") from None


def _signature(session: Any) -> tuple[dict[str, str], dict[str, str]]:
    """Type and shape of all that a graph takes and gives, by name."""
    return tuple(  # type: ignore[return-value]
        {one.name: f"{TYPES.get(one.type, one.type)} ({', '.join(map(str, one.shape))})" for one in side}
        for side in (session.get_inputs(), session.get_outputs())
    )


def _refusal(path: Path, error: Exception) -> InputError:
    return InputError(f"{path} cannot be used ({' '.join(str(error).split())[:200]}); export the run again")
