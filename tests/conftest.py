"""A toy task that is learnt in seconds, German digit words to English ones, and runs and commands that use it."""

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[1]
GERMAN = ["null", "eins", "zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun"]
ENGLISH = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
SIZES = {"train": 60, "valid": 8, "test": 6}
SMALL = (
    "data=files",
    "data.source=de",
    "data.target=en",
    "tokenizer=char",
    "sizes.embedding=16",
    "sizes.hidden=24",
    "sizes.dropout=0.2",
    "training.batch_tokens=256",
    "training.moving_average=null",
    "search=greedy",
    "search.max_extra=2",
    "search.max_ratio=1",
    "training.criterion=loss",
    "training.precision=float32",
    "device=cpu",
)


def pytest_runtest_setup(item):
    """Skip what needs a GPU where there is none."""
    if item.get_closest_marker("gpu") and not torch.cuda.is_available():
        pytest.skip("needs a GPU, and torch.cuda.is_available() is False here")


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """Toy matrices gain nothing from more, and threads of other programs would be waited for."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def digits(tmp_path_factory):
    """Folder of the toy corpus; what is read from it is cached beside it."""
    import datasets

    folder, draw = tmp_path_factory.mktemp("digits"), random.Random(0)
    for split, size in SIZES.items():
        rows = [[draw.randrange(10) for _ in range(draw.randint(1, 4))] for _ in range(size)]
        for language, words in (("de", GERMAN), ("en", ENGLISH)):
            lines = "".join(" ".join(words[digit] for digit in row) + "\n" for row in rows)
            (folder / f"{split}.{language}").write_text(lines, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path_factory.mktemp("cache"))
        yield folder


@pytest.fixture(scope="session")
def small_options(digits):
    """Overrides for ``python -m s2s.train``: the toy corpus and a model that is trained in a moment."""
    return [*SMALL, f"data.path={digits}"]


@pytest.fixture(scope="session")
def create_run(small_options, tmp_path_factory):
    """Make the folder of a new run on the toy corpus, given overrides."""
    from omegaconf import OmegaConf

    from s2s.config import compose
    from s2s.run import Run

    def create(*overrides, name="run"):
        config = compose("train", [*small_options, *overrides])
        OmegaConf.resolve(config)
        return Run.create(tmp_path_factory.mktemp("runs"), name, config, exact=True)

    return create


@pytest.fixture(scope="session")
def trained(create_run):
    """A finished run that has learnt something, and beam search to translate with."""
    from s2s.text.shortlist import Shortlist
    from s2s.train import prepare

    run = create_run(
        "training.steps=120", "training.validate_every=40", "optimizer.lr=0.02", "sizes.dropout=0", "search=beam"
    )
    trainer, _ = prepare(run)
    assert trainer.train()
    run.save_shortlist(Shortlist.count(trainer.data.epoch(0), len(trainer.data.source)))
    run.finish({"BLEU": {"value": 0.0, "signature": "none", "split": "test"}})
    return run


@pytest.fixture(scope="session")
def language_model(create_run, trained):
    """A finished run that predicts the target side, in the pieces of the translator."""
    from s2s.train import prepare

    run = create_run("model=lm", "training.steps=120", "training.validate_every=40", "optimizer.lr=0.02", name="lm")
    run.save_tokenizers(*[trained.tokenizers()[1]] * 2)
    trainer, _ = prepare(run)
    assert trainer.train()
    run.finish({"perplexity": {"value": 1.0, "signature": "none", "split": "test"}})
    return run


@pytest.fixture(scope="session")
def reverse(create_run):
    """A run of the other direction."""
    from s2s.train import prepare

    run = create_run("data.source=en", "data.target=de", "training.steps=60", "optimizer.lr=0.02", name="reverse")
    trainer, _ = prepare(run)
    assert trainer.train()
    return run


@pytest.fixture
def translator(trained):
    from s2s.translator import Translator

    return Translator.load(trained, device="cpu")


@pytest.fixture(scope="session")
def environment(tmp_path_factory):
    """Environment of a command: this checkout, a cache of its own, one thread."""
    cache = str(tmp_path_factory.mktemp("huggingface"))
    own = {"PYTHONPATH": str(ROOT), "HF_HOME": cache, "OMP_NUM_THREADS": "1", "PYTHONUTF8": "1", "PYTHONUNBUFFERED": ""}
    return {**os.environ, **own}


@pytest.fixture
def s2s(environment, tmp_path):
    """Run a command in an empty folder as a person would."""

    def run(command, *arguments, stdin=b""):
        line = [sys.executable, "-m", f"s2s.{command}", *map(str, arguments)]
        return subprocess.run(line, input=stdin, capture_output=True, cwd=tmp_path, env=environment, timeout=120)

    return run


@pytest.fixture
def in_process(monkeypatch, tmp_path, capsysbinary):
    """Run a command in this process, which is faster: exit code, stdout and stderr."""
    import io

    from s2s.config import command

    def run(name, *arguments, stdin=b""):
        module = __import__(f"s2s.{name}", fromlist=[name])
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
        monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        capsysbinary.readouterr()
        code = 0
        try:
            command(name, getattr(module, name))
        except SystemExit as end:
            code = end.code
        out, err = capsysbinary.readouterr()
        return code, out.decode(), err.decode()

    return run


@pytest.fixture
def same():
    """Whether two nests of dicts, lists, tensors and numbers are equal bit for bit."""

    def equal(left, right):
        if isinstance(left, torch.Tensor):
            return left.dtype == right.dtype and torch.equal(left, right)
        if isinstance(left, dict):
            return left.keys() == right.keys() and all(equal(left[key], right[key]) for key in left)
        if isinstance(left, (list, tuple)):
            return len(left) == len(right) and all(map(equal, left, right))
        return left == right

    return equal
