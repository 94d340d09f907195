"""Sweeps by the launchers and sweepers that are there for Hydra; `pip install 's2s[sweep]'`."""

import pytest
import yaml

pytest.importorskip("hydra_plugins.hydra_optuna_sweeper", reason="the sweep extra is not installed")

pytestmark = pytest.mark.slow


def test_the_next_run_is_chosen_by_the_best_validation_score_of_those_before(s2s, small_options, tmp_path):
    options = [option for option in small_options if not option.startswith(("sizes.", "training.batch"))]
    found = s2s("train", "-m", "sweep=small_data", "hydra.sweeper.n_trials=2", *options, "training.steps=2")
    assert found.returncode == 0, found.stderr.decode()
    results = yaml.safe_load((tmp_path / "runs/.sweep/optimization_results.yaml").read_text("utf-8"))
    assert 0.1 <= results["best_params"]["sizes.dropout"] <= 0.5
    perplexities = [
        float(line.split("perplexity ")[1].split()[0].rstrip(","))
        for line in found.stderr.decode().splitlines()
        if "validation perplexity" in line
    ]
    assert -results["best_value"] == pytest.approx(min(perplexities), rel=0.01)
    compared = s2s("compare").stdout.decode()
    assert compared.count("source_word_dropout") >= 2


@pytest.mark.parametrize("launcher", ["joblib", "submitit_local"])
def test_runs_of_a_sweep_may_be_trained_at_the_same_time(launcher, s2s, small_options, tmp_path):
    """Submitit's launcher on this machine is that of Slurm, with another queue."""
    plugin = f"hydra_plugins.hydra_{launcher.removesuffix('_local')}_launcher"
    pytest.importorskip(plugin, reason="the sweep extra is not installed")
    found = s2s("train", "-m", f"hydra/launcher={launcher}", "model/rnn=rnn,gru", *small_options, "training.steps=2")
    assert found.returncode == 0, found.stderr.decode()
    finished = sorted(path.parent.name for path in (tmp_path / "runs").glob("*/result.json"))
    assert finished == ["files-de-en-luong-gru", "files-de-en-luong-rnn"]
