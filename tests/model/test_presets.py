"""Models of the papers at their own size: as many weights as the sizes they print come to."""

import pytest
import torch

from s2s.building import build
from s2s.config import compose


def lstm(inputs, hidden):
    """Four gates, each with weights from the input and from h, and two biases as torch has them."""
    return 4 * hidden * (inputs + hidden + 2)


def gru(inputs, hidden):
    """Three gates."""
    return 3 * hidden * (inputs + hidden + 2)


def additive(query, memory, width):
    return width * (query + memory + 1)


# Bahdanau et al. (2015), appendix B: 30,000 words, m = 620, n = n' = 1000, l = 500 maxout units of two.
BAHDANAU = (
    2 * 30_000 * 620
    + 2 * gru(620, 1000)
    + (2000 + 1) * 1000  # first state, here from both directions
    + additive(1000, 2000, 1000)
    + gru(620 + 2000, 1000)
    + (1000 + 620 + 2000 + 1) * 1000
    + (500 + 1) * 30_000
)
# Luong et al. (2015), section 4.1: 50,000 words, four layers of 1,000 cells on either side, input feeding, dot.
LUONG = (
    2 * 50_000 * 1000
    + 4 * lstm(1000, 1000)
    + lstm(1000 + 1000, 1000)
    + 3 * lstm(1000, 1000)
    + (1000 + 1000) * 1000  # W_c
    + (1000 + 1) * 50_000
)
# Wu et al. (2016), sections 3 and 6: 32,000 pieces, layers of 1,024; the bottom one of the encoder reads both ways.
GNMT = (
    2 * 32_000 * 1024
    + 2 * lstm(1024, 512)
    + 7 * lstm(1024, 1024)
    + additive(1024, 1024, 1024)
    + 8 * lstm(1024 + 1024, 1024)
    + (1024 + 1) * 32_000
)
# Sutskever et al. (2014), section 3.4: 160,000 and 80,000 words, four layers of 1,000 cells, 1,000-wide embeddings.
SUTSKEVER = (160_000 + 80_000) * 1000 + 8 * lstm(1000, 1000) + (1000 + 1) * 80_000
# Cho et al. (2014), section 4.1.1: 15,000 words, embeddings of 100, 1,000 units, 500 maxout units of two.
CHO = (
    2 * 15_000 * 100
    + gru(100, 1000)
    + (1000 + 1) * 1000  # first state
    + (1000 + 1) * 1000  # summary
    + gru(100 + 1000, 1000)
    + (1000 + 100 + 1000 + 1) * 1000
    + (500 + 1) * 15_000
)
# Sennrich et al. (2017), Nematus: embeddings of 500, 1,024 units; here with 30,000 pieces.
NEMATUS = (
    2 * 30_000 * 500
    + 2 * gru(500, 1024)
    + (2048 + 1) * 1024
    + additive(1024, 2048, 1024)
    + gru(500, 1024)
    + gru(2048, 1024)
    + (1024 + 500 + 2048 + 1) * 500
    + (500 + 1) * 30_000
)


@pytest.mark.parametrize(
    ("preset", "source", "target", "weights"),
    [
        ("bahdanau2015", 30_000, 30_000, BAHDANAU),
        ("luong2015_global", 50_000, 50_000, LUONG),
        ("gnmt", 32_000, 32_000, GNMT),
        ("sutskever2014", 160_000, 80_000, SUTSKEVER),
        ("cho2014", 15_000, 15_000, CHO),
        ("nematus", 30_000, 30_000, NEMATUS),
    ],
)
def test_a_model_of_a_paper_has_as_many_weights_as_its_sizes_come_to(preset, source, target, weights):
    config = compose("train", [f"model={preset}"]).model
    with torch.device("meta"):
        model = build(config, "model", source_vocabulary=source, target_vocabulary=target)
    assert sum(parameter.numel() for parameter in model.parameters()) == weights


def test_sutskevers_sizes_come_to_the_384_million_weights_the_paper_counts():
    assert pytest.approx(384e6, abs=0.5e6) == SUTSKEVER
    assert pytest.approx(64e6, abs=0.5e6) == 8 * lstm(1000, 1000)  # "pure recurrent connections"


def test_luongs_local_p_adds_its_window_and_its_score_to_the_global_model():
    with torch.device("meta"):
        config = compose("train", ["model=luong2015_local_p"]).model
        model = build(config, "model", source_vocabulary=50_000, target_vocabulary=50_000)
    window, general = 1000 * 1000 + 1000, 1000 * 1000
    assert sum(parameter.numel() for parameter in model.parameters()) == LUONG + window + general
