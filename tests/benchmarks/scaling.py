"""How updates of k processes would take their time, simulated: python tests/benchmarks/scaling.py source target

Batches are planned and dealt out by the program's own functions, for sentences as long in words as those of two text
files. A process takes as long as its share has positions, padding counted; an update as long as its slowest process,
and then as long as a ring takes to sum the gradients. Assumed: 12.7 million weights, 51 million operations a position,
and the rates below.
"""

import sys
from pathlib import Path

import numpy as np

from s2s.text.batching import plan_batches
from s2s.training.processes import Processes

WEIGHTS, OPERATIONS = 12.7e6, 51e6
FLOPS = 10e12  # of a process
LINKS = {"NVLink": 300e9, "100 Gbit Ethernet": 12.5e9}  # bytes a second
PROCESSES, TOKENS = (1, 8, 64), (1024, 4096, 16384)


def lengths(path: str) -> np.ndarray:
    """Words of every line, and an end mark."""
    return np.array([len(line.split()) + 1 for line in Path(path).read_text(encoding="utf-8").splitlines()])


def simulate(source: np.ndarray, target: np.ndarray, count: int, tokens: int) -> tuple[float, float, int]:
    """Seconds of an epoch that k processes compute and that they wait for the slowest, and the number of updates."""
    batches = plan_batches(source, target, tokens=count * tokens, shuffle=np.random.default_rng(1))
    shares = [[Processes(count, rank).share(batch) for rank in range(count)] for batch in batches]
    positions = np.array([[len(one) * target[one].max() if len(one) else 0 for one in of_all] for of_all in shares])
    seconds = positions * OPERATIONS / FLOPS
    return float(seconds.mean(axis=1).sum()), float((seconds.max(axis=1) - seconds.mean(axis=1)).sum()), len(batches)


def main() -> None:
    """Print the table."""
    source, target = (lengths(path) for path in sys.argv[1:3])
    print("| processes | tokens each | waits for the slowest |", " | ".join(f"sums by {link}" for link in LINKS), "|")
    print("|---:|---:|---:|", "|".join("---:" for _ in LINKS), "|", sep="")
    for count in PROCESSES:
        for tokens in TOKENS:
            computes, waits, updates = simulate(source, target, count, tokens)
            sums = [updates * 2 * (count - 1) / count * 4 * WEIGHTS / rate for rate in LINKS.values()]
            shares = [waits / (computes + waits), *(one / (computes + waits + one) for one in sums)]
            print(f"| {count} | {tokens:,} |", " | ".join(f"{share:.1%}" for share in shares), "|")


if __name__ == "__main__":
    main()
