"""A run from a stranger: each of the cases gives one clear line, and nothing else happens."""

import os
import re
import shutil
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from malicious_runs import SECRET, Case, every_case

from s2s.building import build
from s2s.compare import read_run
from s2s.errors import InputError
from s2s.inside import evolution
from s2s.run import Run
from s2s.training.average import average_checkpoints
from s2s.training.beginning import resumed_run
from s2s.training.resume import load_training_state
from s2s.translator import Translator

GOOD = Path(__file__).parent / "fixtures" / "run-format-1" / "de-en"
CASES = every_case()
MOST_SECONDS, MOST_BYTES = 20, 300 << 20
# What a command would have to do to run a program, to reach another machine or to change a file.
DEEDS = {"os.system", "os.exec", "os.fork", "os.posix_spawn", "subprocess.Popen", "socket.connect"}
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC

watched: list[str] | None = None


def watch(event: str, arguments: tuple[object, ...]) -> None:
    """Note what Python is about to do; a hook cannot be taken out again, so it looks away but while a run is read."""
    if watched is None:
        return
    flags = arguments[2] if event == "open" else None
    writes = isinstance(flags, int) and flags & WRITING and ".pyc" not in str(arguments[0])
    if event in DEEDS or writes:
        watched.append(f"{event} {arguments}")


sys.addaudithook(watch)


def translated(folder: Path) -> None:
    """Translate with a run, its shortlist too."""
    Translator.load(folder, device="cpu", shortlist=5)(["Der Hund schläft."])


def averaged(folder: Path) -> None:
    """Average the checkpoints of a run."""
    run = Run(folder)
    average_checkpoints(run, run.kept_checkpoints().values())


def resumed(folder: Path) -> None:
    """Go back to where the training of a run was saved."""
    run = Run(folder)
    model = run.build_model()
    optimizer = build(run.config.optimizer, "optimizer")(model.parameters())
    with warnings.catch_warnings(action="ignore"):  # torch remarks on a pickle's protocol before it refuses it
        load_training_state(run.training_state, model, optimizer, say=print)


READERS: dict[str, Callable[[Path], object]] = {
    "translate": translated,
    "average": averaged,
    "resume": resumed,
    "compare": lambda folder: read_run(Run(folder), "x"),
    "evolution": lambda folder: evolution(Run(folder)),
}


@pytest.fixture(scope="module", autouse=True)
def acquainted() -> None:
    """Read a good run once, so that no case is charged with what libraries load when they are first needed."""
    for reader in ("translate", "compare"):
        READERS[reader](GOOD)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of a good run, with a link to it: neither it nor the folder of runs need be a folder itself."""
    copy = shutil.copytree(GOOD, tmp_path / "runs" / "copy")
    (tmp_path / "linked").symlink_to(tmp_path / "runs")
    return tmp_path / "linked" / copy.name


@contextmanager
def watching() -> Iterator[list[str]]:
    """What is done in the block that reading a run must not do."""
    global watched
    watched = deeds = []
    try:
        yield deeds
    finally:
        watched = None


def peak_memory() -> int | None:
    """The most bytes that this process had since ``forget_peak``; None where the system does not tell."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        return None
    return 1024 * int(re.search(r"VmHWM:\s+(\d+)", status)[1])


def forget_peak() -> None:
    """Begin to count the peak of memory anew."""
    if Path("/proc/self/clear_refs").exists():
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def files_of(folder: Path) -> dict[Path, tuple[int, int]]:
    """Everything below a folder with its size and time, links as such."""
    return {path: (path.lstat().st_size, path.lstat().st_mtime_ns) for path in sorted(folder.rglob("*"))}


def test_there_are_as_many_cases_as_are_told_of():
    told = (Path(__file__).parents[1] / "docs" / "reliability.md").read_text(encoding="utf-8")
    assert len({case.name for case in CASES}) == len(CASES)
    assert f"{len(CASES)} malicious runs" in told


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name.encode("unicode_escape").decode()[:80])
def test_a_malicious_run_gives_one_line_and_does_nothing(case: Case, folder, tmp_path, monkeypatch):
    canary = tmp_path / "canary"
    monkeypatch.setenv(SECRET, "of nobody's business")
    case.spoil(folder, canary)
    before = files_of(tmp_path)
    forget_peak()
    held, begun = peak_memory(), time.monotonic()
    with watching() as deeds, pytest.raises(InputError, match=f"(?s){case.line}") as refusal:
        READERS[case.reader](folder)
    seconds, most = time.monotonic() - begun, peak_memory()
    assert seconds < MOST_SECONDS
    assert most is None or held is None or most - held < MOST_BYTES
    assert deeds == []
    assert files_of(tmp_path) == before
    assert not canary.exists()
    message = str(refusal.value)
    assert "nobody's business" not in message
    assert len(message) < 2000


SHOWN = ("a pickle as model.safetensors", "a search named 'os.system'", "the label ${oc.env:S2S_TEST_SECRET}")
SHOWN += ("a billion laughs", "weights: another name", "shortlist: a bomb of zeros", "a socket lies in it")


@pytest.mark.parametrize("name", SHOWN)
def test_the_command_shows_the_line_and_ends_with_exit_code_2(name, folder, tmp_path, monkeypatch, in_process):
    monkeypatch.setenv(SECRET, "of nobody's business")
    [case] = [case for case in CASES if case.name == name]
    case.spoil(folder, tmp_path / "canary")
    code, out, error = in_process("translate", f"run='{folder}'", "shortlist=5", "device=cpu", stdin=b"Der Hund.\n")
    *others, last = error.splitlines()
    assert (code, out) == (2, "")
    assert others in ([], [f"run: {folder}"])
    assert last.startswith("error: ")
    assert last.isprintable()
    assert "nobody's business" not in error
    assert not (tmp_path / "canary").exists()


def test_a_process_of_its_own_ends_the_same_way(folder, tmp_path, environment):
    [case] = [case for case in CASES if case.name == "a pickle as tokenizer/source.model"]
    case.spoil(folder, tmp_path / "canary")
    line = [sys.executable, "-m", "s2s.translate", f"run={folder}"]
    done = subprocess.run(line, input=b"Hund\n", capture_output=True, cwd=tmp_path, env=environment, timeout=120)
    assert (done.returncode, done.stdout) == (2, b"")
    told = rb"run: .*\nerror: not a SentencePiece model .*: the file is damaged; copy it again\n"
    assert re.fullmatch(told, done.stderr)
    assert not (tmp_path / "canary").exists()


def test_a_run_may_be_a_link_and_hold_links_to_its_own_files(folder):
    (folder / "best.safetensors").symlink_to("model.safetensors")
    (folder / "same").symlink_to("tokenizer")
    translated(folder)


def test_a_folder_of_more_files_than_a_run_has_is_refused(folder, monkeypatch):
    monkeypatch.setattr("s2s.run_files.MOST_FILES", 5)
    with pytest.raises(InputError, match=r"holds more than 5 files, as no run does; give another folder"):
        Run(folder)


def test_what_is_typed_for_a_resumed_run_is_resolved_before_it_is_kept(folder, monkeypatch):
    monkeypatch.setattr("s2s.training.beginning.explicit_overrides", lambda: {"training.steps": "${seed}"})
    assert resumed_run(str(folder)).config.training.steps == 1
    assert Run(folder).config.training.steps == 1
