"""Memory and start-up time of training on corpora of growing size, mapped and streamed.

    python tests/benchmarks/memory.py FOLDER [PAIRS …]

Makes corpora of so many synthetic pairs (by default 100,000, 1,000,000 and 10,000,000) in FOLDER, one after another,
trains a tiny model on each for a few updates, mapped and then mapped again with everything in the cache, and streamed,
and removes them. Of the process and those it starts the resident memory is read from /proc five times a second: what
is its own (anonymous, shared pages counted once by their share), and what is mapped from files, which the system takes
back where memory is short. Linux only; ten million pairs take 5 GB of disk and most of an hour on one core.
"""

import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PAIRS = (100_000, 1_000_000, 10_000_000)
UPDATES = 20
WORDS = 5_000
OPTIONS = (
    *("data=files", "data.source=xx", "data.target=yy", "tokenizer=bpe", "sizes.vocabulary=2000", "device=cpu"),
    *("sizes.embedding=16", "sizes.hidden=32", "training.epochs=null", f"training.steps={UPDATES}"),
    *("training.criterion=loss", f"training.validate_every={UPDATES}", "training.batch_tokens=2048"),
)


def main(folder: Path, sizes: list[int]) -> None:
    """Measure every size and print a row of a table for each way to train."""
    print("| pairs | | start-up s | own memory MB | with mapped files MB | disk of the cache MB |")
    print("|---:|---|---:|---:|---:|---:|", flush=True)
    for pairs in sizes:
        place = Path(tempfile.mkdtemp(dir=folder))
        try:
            write_corpus(place / "corpus", pairs)
            ways = {"mapped, first time": [], "mapped, again": [], "streamed": ["data.streaming=true"]}
            for way, options in ways.items():
                seconds, own, whole = trained(place, options)
                cached = sum(file.stat().st_size for file in (place / "cache").rglob("*") if file.is_file())
                disk = "" if options else f"{cached / 1e6:,.0f}"
                print(f"| {pairs:,} | {way} | {seconds:,.0f} | {own:,.0f} | {whole:,.0f} | {disk} |", flush=True)
        finally:
            shutil.rmtree(place)


def write_corpus(folder: Path, pairs: int) -> None:
    """Pairs of three to nine made-up words; the target has the words of the source, spelt otherwise."""
    folder.mkdir()
    draw = random.Random(0)
    words = ["".join(draw.choices("abcdefghijklmnop", k=draw.randint(2, 7))) for _ in range(WORDS)]
    for split, size in (("train", pairs), ("valid", 200), ("test", 20)):
        with (folder / f"{split}.xx").open("w") as source, (folder / f"{split}.yy").open("w") as target:
            for _ in range(size):
                chosen = draw.choices(words, k=draw.randint(3, 9))
                source.write(" ".join(chosen) + "\n")
                target.write(" ".join(word[::-1] for word in chosen) + "\n")


def trained(place: Path, options: list[str]) -> tuple[float, float, float]:
    """Train and watch: seconds to the first update, peak of own memory and of all resident memory, in MB."""
    environment = {**os.environ, "HF_HOME": str(place / "cache")}
    runs = place / "runs"
    line = [sys.executable, "-m", "s2s.train", *OPTIONS, f"data.path={place / 'corpus'}", f"runs_dir={runs}", *options]
    begin, own, whole, first = time.monotonic(), 0.0, 0.0, None
    with (place / "log").open("w") as log:
        process = subprocess.Popen(line, env=environment, stdout=log, stderr=log, cwd=place)
        while process.poll() is None:
            time.sleep(0.2)
            told = (place / "log").read_text(errors="replace")
            if first is None and "target pieces; " in told:
                first = time.monotonic() - begin
            resident = [memory(number) for number in [process.pid, *children(process.pid)]]
            own, whole = max(own, sum(one for one, _ in resident)), max(whole, sum(all_ for _, all_ in resident))
    if process.returncode:
        sys.exit((place / "log").read_text())
    shutil.rmtree(runs)
    return first or 0.0, own, whole


def children(process: int) -> list[int]:
    """Processes that a process has started, and those that these have."""
    found = []
    for path in Path(f"/proc/{process}/task").glob("*/children"):
        try:
            for child in map(int, path.read_text().split()):
                found += [child, *children(child)]
        except OSError:
            continue
    return found


def memory(process: int) -> tuple[float, float]:
    """Memory of a process in MB, pages shared with others by their share: what is its own, and all."""
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0, 0.0
    sizes = {line.split(":")[0]: float(line.split()[1]) / 1000 for line in lines[1:]}
    return sizes.get("Pss_Anon", 0.0), sizes.get("Pss", 0.0)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), [int(number) for number in sys.argv[2:]] or list(PAIRS))
