"""A run that is killed, wherever it is, goes on as if nothing had happened."""

import multiprocessing
import random

import pytest
import torch

from s2s.run import Run
from s2s.storage import checksum
from s2s.training.resume import saved_states
from s2s.translator import Translator

QUICK, MANY = 4, 50
TIMES = {"seconds", "tokens_per_second"}
OPTIONS = (
    "training.steps=16",
    "training.validate_every=2",
    "training.moving_average=0.9",
    "training.accumulation=2",
    "training.keep_checkpoints=2",
    "training.save_minutes=0.0005",
    "tokenizer=bpe",
    "tokenizer.vocabulary_size=40",
    "tokenizer.sampling=0.3",
)
SECONDS_OF_THE_DISK = 0.01


def train(folder, *, cache):
    """Go on with a run in a process of its own, where a file takes long to reach the disk."""
    import os
    import time

    import datasets

    from s2s.train import prepare

    datasets.config.HF_DATASETS_CACHE = cache
    os.fsync = lambda _: time.sleep(SECONDS_OF_THE_DISK)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    torch.set_num_threads(1)
    assert prepare(Run(folder))[0].train()


@pytest.fixture(scope="module")
def processes():
    """Processes that begin with everything imported already."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["s2s.train", "datasets", "test_kill"])
    return context


@pytest.fixture
def killed_after(processes, digits):
    """Train for so many seconds, then kill; return whether training had ended by itself."""
    import datasets

    def start(run, seconds):
        keywords = {"cache": datasets.config.HF_DATASETS_CACHE}
        process = processes.Process(target=train, args=(run.folder,), kwargs=keywords)
        process.start()
        process.join(seconds)
        process.kill()
        process.join()
        assert process.exitcode in (0, -9)
        return process.exitcode == 0

    return start


def what_is_kept(run):
    """Everything of a run that time leaves alone."""
    newest, *_ = saved_states(run.training_state)
    state = torch.load(newest, weights_only=True)
    state["state"].pop("seconds")
    state["state"]["tally"].pop("since")
    records = [{name: value for name, value in one.items() if name not in TIMES} for one in run.records()]
    checkpoints = {updates: path.read_bytes() for updates, path in run.kept_checkpoints().items()}
    return state, records, run.weights.read_bytes(), checkpoints


def check_it_can_be_used(folder):
    """A run that was killed can be opened and translated with, once there are weights, and its states are whole."""
    run = Run(folder)
    for path in saved_states(run.training_state):
        assert checksum(path.read_bytes()) == path.stem.partition("-")[2]
    if run.weights.exists():
        assert len(Translator.load(run, device="cpu")(["eins zwei"])) == 1
    list(run.records())


@pytest.mark.parametrize("kills", [QUICK, pytest.param(MANY, marks=pytest.mark.slow)])
def test_killed_at_random_moments_a_run_ends_as_it_would_have(create_run, killed_after, same, kills):
    draw, straight = random.Random(kills), create_run(*OPTIONS)
    assert killed_after(straight, None)
    expected = what_is_kept(straight)
    survived = 0
    while survived < kills:
        run, ended = create_run(*OPTIONS), False
        while not ended:
            ended = killed_after(run, draw.uniform(0.1, 2.0) if survived < kills else None)
            survived += not ended
            check_it_can_be_used(run.folder)
        assert same(expected, what_is_kept(run))
    print(f"killed {survived} times")


def test_a_run_killed_before_its_first_state_begins_anew(create_run, killed_after, same):
    straight, run = create_run(*OPTIONS), create_run(*OPTIONS)
    assert killed_after(straight, None)
    run.log({"split": "train", "updates": 1, "seconds": 0.5, "tokens_per_second": 99.0, "of": "the killed"})
    (run.folder / "tokenizer").mkdir()
    (run.folder / "tokenizer" / "source.model.partial").write_bytes(b"half")
    assert killed_after(run, None)
    assert same(what_is_kept(straight), what_is_kept(run))
