"""The picture of validation curves."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from matplotlib import image
from matplotlib.figure import Figure

from s2s.errors import InputError
from s2s.report import curves, fonts
from s2s.report.compare import FinishedRun
from s2s.report.curves import draw_curves

Look = Callable[[list[FinishedRun]], Figure]


def run(name: str, perplexities: list[float], **measures: list[float]) -> FinishedRun:
    """A run that was validated every minute; the last validation but one was the best."""
    records: list[dict[str, Any]] = [{"split": "train", "seconds": 1.0, "perplexity": 77.0}]
    for index, value in enumerate(perplexities):
        record = {"split": "valid", "seconds": 60.0 * (index + 1), "perplexity": value}
        record |= {measure: {"value": values[index], "signature": "s"} for measure, values in measures.items()}
        records.append({**record, "best": index < max(1, len(perplexities) - 1)})
    return FinishedRun(name=name, config={}, result={}, records=records)


@pytest.fixture
def look(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Look:
    """Draw, and hand over the figure that would have been saved."""
    figures: list[Figure] = []
    monkeypatch.setattr(curves, "save_picture", lambda figure, path, kind: figures.append(figure))

    def draw(runs: list[FinishedRun]) -> Figure:
        draw_curves(runs, tmp_path / "x.png")
        figures[-1].canvas.draw()
        return figures[-1]

    return draw


def labels(figure: Figure, panel: int) -> list[str]:
    legend = figure.axes[panel].get_legend()
    assert legend is not None
    return [text.get_text() for text in legend.get_texts()]


def test_the_picture_is_an_image_of_sensible_size(tmp_path: Path) -> None:
    path = tmp_path / "new" / "curves.png"
    assert draw_curves([run("a", [50, 6, 5], bleu=[1, 20, 30]), run("b", [40, 8])], path) == ""
    height, width, _ = image.imread(path).shape
    assert 1500 < width < 3500
    assert 1000 < height < 2500


def test_lines_are_validations_over_minutes_with_a_dot_at_the_best(look: Look) -> None:
    figure = look([run("a", [50, 6, 7], bleu=[10, 30, 20])])
    perplexity, bleu = figure.axes
    assert perplexity.get_yscale() == "log"
    assert bleu.get_yscale() == "linear"
    for panel, values in ((perplexity, [50, 6, 7]), (bleu, [10, 30, 20])):
        dot, line = panel.get_lines()
        assert list(line.get_xdata()) == [1, 2, 3]
        assert list(line.get_ydata()) == values
        assert (list(dot.get_xdata()), list(dot.get_ydata())) == ([2], [values[1]])
    assert bleu.get_xlabel() == "minutes of training"


def test_legends_stand_outside_in_the_order_of_the_values_they_tell(look: Look) -> None:
    figure = look([run("a", [50, 6, 7], bleu=[10, 30, 20]), run("b", [50, 9, 9], bleu=[10, 31, 20])])
    assert labels(figure, 0) == ["b  9.00", "a  6.00"]
    assert labels(figure, 1) == ["b  31.00", "a  30.00"]
    for axes in figure.axes:
        legend = axes.get_legend()
        assert legend is not None
        assert legend.get_window_extent().x0 > axes.get_window_extent().x1


def test_the_lower_panel_is_bleu_or_else_chrf_or_else_none(look: Look) -> None:
    both = run("a", [5, 4], bleu=[10, 20], chrf=[30, 40])
    titles = [[axes.get_title(loc="left") for axes in look([one]).axes] for one in (both, run("b", [5], chrf=[1]))]
    assert titles == [["validation perplexity", "validation BLEU"], ["validation perplexity", "validation chrF2"]]
    assert len(look([run("c", [5, 4])]).axes) == 1


def test_twenty_lines_all_look_different_and_their_names_stay_apart(look: Look) -> None:
    figure = look([run(f"a run with a name of its own {number}", [9 + number, 8 + number]) for number in range(20)])
    axes = figure.axes[0]
    looks = {(line.get_color(), str(line._unscaled_dash_pattern)) for line in axes.get_lines()[1::2]}
    assert len(looks) == 20
    legend = axes.get_legend()
    assert legend is not None
    boxes = [text.get_window_extent() for text in legend.get_texts()]
    assert all(upper.y0 >= lower.y1 - 1 for upper, lower in pairwise(boxes))
    assert legend.get_window_extent().height < axes.get_window_extent().height * 1.05


def test_runs_without_validations_are_left_out(look: Look) -> None:
    assert labels(look([run("a", []), run("b", [5, 4])]), 0) == ["b  5.00"]


def test_long_names_are_cut_and_dollars_are_no_formulas(look: Look) -> None:
    figure = look([run("$x_" + "y" * 80, [5])])
    assert labels(figure, 0) == ["$x_" + "y" * 56 + "…  5.00"]


def test_characters_no_font_has_are_returned_and_substituted(look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fonts, "_installed_families", lambda: iter(()))
    assert labels(look([run("样a", [5])]), 0) == [f"{fonts.SUBSTITUTE}a  5.00"]


def test_chinese_names_are_drawn_without_a_missing_glyph(tmp_path: Path) -> None:
    if fonts.choose_families("样本")[1]:
        pytest.skip("no installed font has Chinese characters")
    assert draw_curves([run("样本", [5, 4])], tmp_path / "x.png") == ""


def test_runs_without_any_validation_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="without any validation on record; name runs"):
        draw_curves([run("a", [])], tmp_path / "x.png")


def test_an_unknown_suffix_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"ends in '\.jpg', expected one of \.png, \.svg, \.pdf"):
        draw_curves([run("a", [5])], tmp_path / "x.jpg")


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"curves .*x\.png' cannot be written"):
        draw_curves([run("a", [5])], tmp_path / "file" / "x.png")
