"""How much memory a stream takes: lines go through s2s.translate, and its peak is read on the way. Linux alone.

    python tests/benchmarks/stream.py RUN [LINES]

RUN is a finished run of any kind, LINES a million unless it is given. No two lines are the same, so that nothing that
is kept of a line goes unseen.
"""

import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

WORDS = ["null", "eins", "zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun"]
OPTIONS = ["device=cpu", "search=greedy", "search.max_ratio=1", "batch_size=256"]


def main(run: str, count: int) -> None:
    """Print peak and present memory after 10,000 lines, ten times as many, and so on to the last."""
    command = [sys.executable, "-m", "s2s.translate", f"run={run}", *OPTIONS]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    begun, told = time.monotonic(), {10**power for power in range(4, 9)} | {count}
    threading.Thread(target=feed, args=(process.stdin, count), daemon=True).start()
    number = 0
    for number, _ in enumerate(process.stdout, 1):
        if number in told:
            peak, present = megabytes(process.pid, "VmHWM"), megabytes(process.pid, "VmRSS")
            seconds = time.monotonic() - begun
            print(f"{number:>9,} lines: peak {peak:,.0f} MB, now {present:,.0f} MB, {seconds:,.0f} s", flush=True)
    if process.wait() or number != count:
        sys.exit(f"{number:,} lines came of {count:,}")


def feed(pipe, count: int) -> None:
    """Write the lines."""
    with pipe:
        for line in lines(count):
            pipe.write(line.encode())


def lines(count: int) -> Iterator[str]:
    """Short lines, each with its number."""
    for number in range(count):
        yield f"{WORDS[number % 10]} {WORDS[number // 10 % 10]} {number}\n"


def megabytes(process: int, name: str) -> float:
    """What Linux says of a process's memory."""
    status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    return int(re.search(rf"^{name}:\s+(\d+) kB", status, re.MULTILINE)[1]) / 1024


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) == 3 else 1_000_000)
