"""How fast something is: medians over repeats, what the machine could do at most, what it is, and a table of it all."""

import io
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TypeVar

import torch
from rich import box
from rich.console import Console
from rich.table import Table

from s2s.errors import InputError

__all__ = [
    "SQUARES",
    "Figures",
    "json_text",
    "machine",
    "peak_memory",
    "product_rate",
    "seconds_since_start",
    "seconds_to_first_line",
    "spreads",
    "text_table",
    "timed",
    "wait_for",
]

Figures = dict[str, Sequence[float]]  # what each measurement gave, by names that end in their unit
Result = TypeVar("Result")
SQUARES = {"cpu": 1024, "cuda": 8192}  # rows and columns of the product that a device is judged by
PRODUCTS = 10  # of these are timed, after as many that are not


def wait_for(device: torch.device) -> None:
    """Wait until a GPU has done what it was given; a CPU always has."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def timed(
    work: Callable[[], Result], *, repeats: int, name: str, say: Callable[[str], None]
) -> tuple[list[float], list[Result]]:
    """Do work again and again; return the seconds that each time took, and what each returned.

    Args:
        work: has finished when it returns.
        repeats: how often.
        name: of the work, for progress.
        say: takes a line of progress after each.
    """
    seconds, results = [], []
    for number in range(repeats):
        start = time.perf_counter()
        results.append(work())
        seconds.append(time.perf_counter() - start)
        say(f"{name}: {number + 1} of {repeats} in {seconds[-1]:.2f} s")
    return seconds, results


def product_rate(device: torch.device, dtype: torch.dtype = torch.float32) -> float:
    """Measure the rate of a product of square matrices, ``SQUARES`` wide, in GFLOP/s, the median of several.

    The peak of a GPU's memory begins anew, or it would be that of these matrices.

    Args:
        device: a CPU or a GPU.
        dtype: of the matrices; those of a CPU are of float32, whatever it trains in.
    """
    square = SQUARES[device.type]
    generator = torch.Generator(device).manual_seed(0)
    dtype = torch.float32 if device.type == "cpu" else dtype
    left, right = torch.rand(2, square, square, device=device, dtype=dtype, generator=generator)
    rates = []
    for _ in range(2 * PRODUCTS):
        wait_for(device)
        start = time.perf_counter()
        torch.mm(left, right)
        wait_for(device)
        rates.append(2 * square**3 / (time.perf_counter() - start) / 1e9)
    del left, right
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    return statistics.median(rates[PRODUCTS:])


def peak_memory(device: torch.device) -> Figures:
    """The most memory that was resident in this process so far, and that tensors took on a GPU, in MB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    resident = peak * (1 if sys.platform == "darwin" else 1024) / 1e6
    of_gpu = {"peak GPU memory in MB": [torch.cuda.max_memory_allocated(device) / 1e6]} if device.type == "cuda" else {}
    return {"peak resident memory in MB": [resident], **of_gpu}


def seconds_since_start() -> list[float]:
    """Seconds since this process was started, to a hundredth; nothing where the system, not being Linux, hides it."""
    try:
        fields = Path("/proc/self/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return []
    started = int(fields[19]) / os.sysconf("SC_CLK_TCK")  # "starttime" in proc(5), seconds after the system's start
    return [time.clock_gettime(time.CLOCK_BOOTTIME) - started]


def seconds_to_first_line(command: Sequence[str], *, stdin: str, repeats: int) -> list[float]:
    """Time a command from its start to its first line of output.

    Args:
        command: program and arguments.
        stdin: a line that it finds there.
        repeats: how often it is started, one after another.

    Raises:
        InputError: the command fails.
    """
    return [_seconds_to_first_line(command, stdin) for _ in range(repeats)]


def _seconds_to_first_line(command: Sequence[str], line: str) -> float:
    """Time one start."""
    with tempfile.TemporaryFile() as stdin, tempfile.TemporaryFile() as stderr:
        stdin.write(f"{line}\n".encode())
        stdin.seek(0)
        start = time.perf_counter()
        with subprocess.Popen(command, stdin=stdin, stdout=subprocess.PIPE, stderr=stderr) as process:
            assert process.stdout is not None
            process.stdout.readline()
            seconds = time.perf_counter() - start
            process.stdout.read()
        if process.returncode:
            stderr.seek(0)
            said = stderr.read().decode("utf-8", errors="replace").strip().splitlines() or ["nothing"]
            raise InputError(f"{' '.join(command[1:])} ended with {process.returncode}: {said[-1]}")
    return seconds


def machine(device: torch.device) -> dict[str, str | int]:
    """What figures depend on beside the program: processor, threads and versions."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return {
        "processor": (names or [platform.processor() or platform.machine()])[0],
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else str(device),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "s2s": version("s2s"),
    }


def spreads(figures: Figures) -> dict[str, dict[str, float]]:
    """Median, least and greatest of every figure."""
    return {
        name: {"median": statistics.median(values), "least": min(values), "greatest": max(values)}
        for name, values in figures.items()
        if values
    }


def json_text(figures: Figures, setting: Mapping[str, object]) -> str:
    """Write figures and setting as one JSON object."""
    return json.dumps({"figures": spreads(figures), "setting": setting}, ensure_ascii=False, indent=1)


def text_table(figures: Figures, setting: Mapping[str, object]) -> str:
    """Lay figures out in letters of one width, their setting below; what was measured once has no spread."""
    table = Table("", box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for title in ("median", "least", "greatest"):
        table.add_column(title, justify="right")
    for name, spread in spreads(figures).items():
        shown = list(map(_four_figures, spread.values()))
        table.add_row(name, *(shown if len(figures[name]) > 1 else shown[:1]))
    console = Console(file=io.StringIO(), width=200)
    with console.capture() as captured:
        console.print(table)
    lines = [*captured.get().splitlines(), "", *(f"{name}: {value}" for name, value in setting.items())]
    return "\n".join(line.rstrip() for line in lines)


def _four_figures(value: float) -> str:
    """At least four figures: 12,345, 123.4, 1.234."""
    return f"{value:,.{0 if value >= 1000 else 1 if value >= 100 else 2 if value >= 10 else 3}f}"
