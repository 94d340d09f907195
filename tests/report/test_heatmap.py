"""Pictures are written, labels are readable, and no character is lost without a word."""

import logging
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from numpy.typing import NDArray

from s2s.errors import InputError
from s2s.report import fonts, heatmap
from s2s.report.fonts import SUBSTITUTE
from s2s.report.heatmap import draw_heatmap

Look = Callable[..., Figure]
HAN = "我们好"
NO_HAN_FONT = bool(fonts.choose_families(HAN)[1])


def uniform(rows: int, columns: int) -> NDArray[np.float64]:
    return np.full((rows, columns), 1 / columns)


@pytest.fixture
def look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Look:
    """Draw and hand over the figure that would have been saved."""
    figures: list[Figure] = []
    monkeypatch.setattr(heatmap, "save_picture", lambda figure, path, kind: figures.append(figure))

    def draw(source: list[str], target: list[str], attention: NDArray[np.float64] | None = None) -> Figure:
        weights = uniform(len(target), len(source)) if attention is None else attention
        draw_heatmap(weights, source, target, tmp_path / "x.png")
        figures[-1].canvas.draw()
        return figures[-1]

    return draw


@pytest.mark.parametrize(
    ("suffix", "start"), [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF"), (".PNG", b"\x89PNG")]
)
def test_the_suffix_chooses_the_format_and_folders_are_made(tmp_path: Path, suffix: str, start: bytes) -> None:
    path = tmp_path / "new" / f"picture{suffix}"
    assert draw_heatmap(uniform(2, 3), ["▁a", "b", "</s>"], ["▁x", "</s>"], path, title="A title") == []
    assert path.read_bytes().startswith(start)


def test_rows_are_target_and_columns_source_from_the_top_left(look: Look) -> None:
    attention = np.array([[0.75, 0.25, 0.0], [0.0, 0.5, 0.5]])
    axes = look(["▁a", "▁b", "</s>"], ["▁x", "y"], attention).axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["a", "b", "</s>"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["x", "y"]
    mesh = axes.collections[0]
    np.testing.assert_array_equal(np.asarray(mesh.get_array()).reshape(2, 3), attention)
    assert axes.yaxis_inverted()
    assert mesh.get_clim() == (0, 1)


def test_labels_show_text_as_people_write_it(look: Look) -> None:
    axes = look(["▁", "▁a▁b", "a\nb\u200b", "$x$_", "w" * 99], ["▁x"]).axes[0]
    labels = axes.get_xticklabels()
    assert [label.get_text() for label in labels] == ["␣", "a b", "a b", "$x$_", "w" * 23 + "…"]
    assert not any(label.get_parse_math() for label in labels)


@pytest.mark.parametrize("count", [3, 12, 40, 60])
@pytest.mark.parametrize("token", ["▁a", "▁word", "▁Mitgliedstaaten"])
def test_labels_stay_large_enough_and_apart(look: Look, count: int, token: str) -> None:
    axes = look([token] * count, [token] * count).axes[0]
    across, down = axes.get_xticklabels(), axes.get_yticklabels()
    size = min(float(label.get_fontsize()) for label in [*across, *down])
    assert size >= 9
    boxes = [label.get_window_extent() for label in down]
    assert all(upper.y0 >= lower.y1 for upper, lower in pairwise(boxes))
    if across[0].get_rotation() == 0:
        boxes = [label.get_window_extent() for label in across]
        assert all(left.x1 <= right.x0 for left, right in pairwise(boxes))
    else:
        pitch = axes.get_window_extent().width / count / np.sqrt(2)
        assert pitch >= size * axes.figure.dpi / 72


def test_long_source_labels_are_turned_and_short_ones_stand_level(look: Look) -> None:
    assert look(["▁Mitgliedstaaten"] * 5, ["▁x"]).axes[0].get_xticklabels()[0].get_rotation() == 45
    assert look(["▁a"] * 5, ["▁x"]).axes[0].get_xticklabels()[0].get_rotation() == 0


def test_colours_darken_in_even_steps() -> None:
    red_green_blue = heatmap.COLOURS(np.linspace(0, 1, 11))[:, :3]
    linear = np.where(red_green_blue <= 0.04045, red_green_blue / 12.92, ((red_green_blue + 0.055) / 1.055) ** 2.4)
    lightness = 116 * np.cbrt(linear @ [0.2126, 0.7152, 0.0722]) - 16
    np.testing.assert_allclose(np.diff(lightness), -8.2, atol=0.6)


def test_drawing_leaves_pyplot_alone(tmp_path: Path) -> None:
    from matplotlib import pyplot

    before = pyplot.get_fignums(), pyplot.rcParams.copy()
    draw_heatmap(uniform(1, 1), ["a"], ["x"], tmp_path / "x.png")
    assert (pyplot.get_fignums(), pyplot.rcParams.copy()) == before


def test_characters_no_font_has_are_returned_and_substituted(look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fonts, "_installed_families", lambda: iter(()))
    axes = look(["▁我a", "们我"], ["▁x"]).axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == [f"{SUBSTITUTE}a", SUBSTITUTE * 2]


def test_missing_characters_come_once_in_order_from_labels_and_title(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fonts, "_installed_families", lambda: iter(()))
    missing = draw_heatmap(uniform(1, 2), ["▁们", "a"], ["我们"], tmp_path / "x.png", title="好")
    assert missing == ["们", "我", "好"]


@pytest.mark.skipif(NO_HAN_FONT, reason="no installed font has Chinese characters")
def test_chinese_is_drawn_without_a_missing_glyph_or_a_log_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert draw_heatmap(uniform(1, 3), list(HAN), ["▁ok"], tmp_path / "x.png", title=HAN) == []
    assert caplog.records == []


@pytest.mark.parametrize(("rows", "columns"), [(2, 2), (1, 3), (3, 1)])
def test_labels_that_do_not_fit_the_matrix_are_refused(tmp_path: Path, rows: int, columns: int) -> None:
    with pytest.raises(InputError, match=rf"attention \({rows}, {columns}\) with 1 target and 2 source labels"):
        draw_heatmap(uniform(rows, columns), ["a", "b"], ["x"], tmp_path / "x.png")


def test_an_empty_matrix_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="at least one of each"):
        draw_heatmap(np.ones((0, 1)), ["a"], [], tmp_path / "x.png")


@pytest.mark.parametrize("weight", [np.nan, -3.0, 2.0])
def test_weights_that_are_no_attention_are_refused(tmp_path: Path, weight: float) -> None:
    with pytest.raises(InputError, match="expected numbers from 0 to 1"):
        draw_heatmap(np.array([[weight]]), ["a"], ["x"], tmp_path / "x.png")


@pytest.mark.parametrize("name", ["x.jpg", "x"])
def test_an_unknown_suffix_is_refused_before_anything_is_written(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=r"expected one of \.png, \.svg, \.pdf"):
        draw_heatmap(uniform(1, 1), ["a"], ["x"], tmp_path / "new" / name)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        draw_heatmap(uniform(1, 1), ["a"], ["x"], tmp_path / "file" / "x.png")
