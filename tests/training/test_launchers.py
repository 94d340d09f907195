"""Whatever starts several processes, on one machine or two, they train as one does with a batch twice as large."""

import shutil
import socket
import subprocess
import sys
import time

import psutil
import pytest

from s2s.run import Run
from s2s.training.preparation import prepare

TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node"]
ACCELERATE = [sys.executable, "-m", "accelerate.commands.launch", "--mixed_precision", "no", "--dynamo_backend", "no"]
needs_mpi = pytest.mark.skipif(shutil.which("mpirun") is None, reason="no mpirun is installed")


@pytest.fixture
def port():
    """A port that nobody listens at."""
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        return place.getsockname()[1]


@pytest.fixture
def environment_together(environment, port):
    """Environment of processes that speak over the loopback, where Open MPI lets a container's only user start them."""
    own = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "OMPI_ALLOW_RUN_AS_ROOT": "1"}
    own["OMPI_ALLOW_RUN_AS_ROOT_CONFIRM"] = "1"
    if sys.platform == "linux":
        own["GLOO_SOCKET_IFNAME"] = "lo"  # a machine may not know an address by its own name
    return {**environment, **own}


@pytest.fixture
def start(tmp_path, environment_together, small_options):
    """Begin to train the run runs/x in an empty folder by a command, given how it begins."""
    (tmp_path / "hosts").write_text("localhost slots=2\n", encoding="utf-8")

    def begin(command, *options):
        line = [*command, "-m", "s2s.train", *small_options, "sizes.dropout=0", "name=x", *options]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen(line, cwd=tmp_path, env=environment_together, **pipes)

    return begin


def perplexities(run):
    return [record["perplexity"] for record in run.records() if record["split"] == "valid"]


def two_machines(port):
    """One command for each, as it is typed there."""
    meeting = ["--nnodes", "2", "--rdzv-backend", "c10d", "--rdzv-endpoint", f"127.0.0.1:{port}"]
    return [[*TORCHRUN, "1", *meeting, "--local-addr", "127.0.0.1", "--node-rank", str(rank)] for rank in range(2)]


def by_accelerate(port, *options):
    return [[*ACCELERATE, "--num_processes", "2", "--num_machines", "1", "--main_process_port", str(port), *options]]


STARTS = {
    "torchrun": lambda port: [[*TORCHRUN, "2"]],
    "torchrun on two machines": two_machines,
    "accelerate": lambda port: by_accelerate(port, "--multi_gpu"),
    "accelerate with MPI": lambda port: by_accelerate(port, "--cpu", "--mpirun_hostfile", "hosts"),
    "mpirun": lambda port: [["mpirun", "-n", "2", sys.executable]],
}


by_each = pytest.mark.parametrize(
    "starter", [pytest.param(name, marks=needs_mpi if "mpi" in name.lower() else []) for name in STARTS]
)


@pytest.mark.slow
@by_each
def test_two_processes_train_as_one_whoever_starts_them(create_run, start, tmp_path, port, starter):
    options = ("training.steps=4", "training.validate_every=2")
    one = create_run(*options, "sizes.dropout=0", "training.batch_tokens=256")
    assert prepare(one)[0].train()
    started = [start(command, *options, "training.batch_tokens=128") for command in STARTS[starter](port)]
    said = [job.communicate(timeout=120) for job in started]
    assert [job.returncode for job in started] == [0] * len(started), said
    assert sum(out.count("test BLEU") for out, _ in said) == 1
    assert sum(err.count("run: runs/x") for _, err in said) == 1
    assert len(perplexities(one)) == 2
    assert perplexities(Run(tmp_path / "runs/x")) == pytest.approx(perplexities(one), rel=1e-5)


@pytest.mark.slow
@by_each
def test_a_process_that_is_killed_ends_the_job_and_the_run_goes_on(s2s, start, tmp_path, port, starter):
    jobs = [start(command, "training.epochs=100000", "training.validate_every=2") for command in STARTS[starter](port)]
    while not list((tmp_path / "runs/x/training").glob("*.pt")):
        assert [job.poll() for job in jobs] == [None] * len(jobs)
        time.sleep(0.05)
    started = [child for job in jobs for child in psutil.Process(job.pid).children(recursive=True)]
    workers = [one for one in started if "s2s.train" in one.cmdline()[2:4]]  # python -u -m s2s.train, without -u too
    assert len(workers) == 2
    workers[1].kill()
    said = "".join(job.communicate(timeout=60)[1] for job in jobs)  # all that write there have ended
    assert all(job.returncode for job in jobs)
    assert "error: another process of this job has ended" in said
    assert "what was saved last is whole: start them all again" in said
    updates = [record["updates"] for record in Run(tmp_path / "runs/x").records() if record["split"] == "valid"]
    done = s2s("train", "resume=runs/x", f"training.steps={updates[-1] + 2}")
    assert done.returncode == 0, done.stderr
    resumed = [record["updates"] for record in Run(tmp_path / "runs/x").records() if record["split"] == "valid"]
    assert resumed == [*range(2, resumed[-1] + 1, 2)]
    assert resumed[-1] == updates[-1] + 2
