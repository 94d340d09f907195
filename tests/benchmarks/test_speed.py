"""python -m s2s.bench, small: every task measures something and leaves nothing behind. How fast is never asserted."""

import json

import pytest


@pytest.fixture
def measured(s2s, tmp_path):
    """Run the command in a process of its own; return figures and setting."""

    def measure(*arguments):
        result = s2s("bench", "format=json", "bench.repeats=2", *arguments)
        assert result.returncode == 0, result.stderr.decode()
        assert not list(tmp_path.iterdir())
        shown = json.loads(result.stdout)
        for spread in shown["figures"].values():
            assert 0 <= spread["least"] <= spread["median"] <= spread["greatest"]
        return shown["figures"], shown["setting"]

    return measure


def test_training_is_measured(measured, small_options):
    figures, setting = measured("task=train", "bench.warm_up=1", "bench.updates=2", *small_options)
    assert list(figures) == [
        "target tokens/s",
        "updates/s",
        "matrix products of the model in GFLOP/s",
        "product of 1,024-square matrices in GFLOP/s",
        "share of it in %",
        "padding in %",
        "peak resident memory in MB",
        "seconds to the first update",
    ]
    assert (setting["data"], setting["model"], setting["threads"]) == ("files, de to en", "luong", 1)
    assert setting["products"] == "float32"
    assert 0 < figures["seconds to the first update"]["median"] < 120


def test_decoding_is_measured_for_every_beam_and_batch(measured, trained):
    figures, setting = measured(
        "task=decode", f"run={trained.folder}", "device=cpu", "bench.beams=[1,3]", "bench.batches=[4,1]"
    )
    *names, last = figures
    assert names == [
        f"beam {beam}, batch {batch}: {unit}"
        for beam in (1, 3)
        for batch in (4, 1)
        for unit in ("output tokens/s", "sentences/s")
    ]
    assert last == "peak resident memory in MB"
    assert (setting["data"], setting["model"]) == ("files", "run")
    assert all(figures[name]["least"] > 0 for name in names)


def test_starting_is_measured(measured, trained):
    figures, _ = measured("task=startup", f"run={trained.folder}", "device=cpu", "search.beam_size=2")
    assert list(figures) == ["seconds to the first translation", "seconds to import s2s.translate"]
    assert all(spread["least"] > 0 for spread in figures.values())
