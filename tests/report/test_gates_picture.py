"""The picture of gates shows every number where its token, its unit and its value are."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from s2s.errors import InputError
from s2s.report import fonts, gates
from s2s.report.fonts import SUBSTITUTE, choose_families
from s2s.report.gates import CellTrace, draw_gates

Look = Callable[..., Figure]
LSTM = ("input_gate", "forget_gate", "content", "output_gate", "memory", "hidden")
HAN = "我们好"
NO_HAN_FONT = bool(choose_families(HAN)[1])


def trace(labels: tuple[str, ...] = ("▁a", "b", "</s>"), units: int = 4, names: tuple[str, ...] = LSTM) -> CellTrace:
    draw = np.random.default_rng(0)
    values = {
        name: draw.uniform(0 if name.endswith("gate") else -1, 1, size=(len(labels), units)).astype(np.float32)
        for name in names
    }
    return CellTrace("encoder, layer 1", labels, values)


@pytest.fixture
def look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Look:
    """Draw and hand over the figure that would have been saved."""
    figures: list[Figure] = []
    monkeypatch.setattr(gates, "save_picture", lambda figure, path, kind: figures.append(figure))

    def draw(*traces: CellTrace, name: str = "x.png") -> Figure:
        draw_gates(traces, tmp_path / name)
        return figures[-1]

    return draw


def panels(figure: Figure) -> dict[str, Axes]:
    """The heatmaps of units, by the value they show."""
    return {axes.get_yticklabels()[0].get_text(): axes for axes in figure.axes if axes.images}


def means(figure: Figure) -> Axes:
    return figure.axes[0]


@pytest.mark.parametrize(("suffix", "start"), [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF")])
def test_the_suffix_chooses_the_format_and_folders_are_made(tmp_path: Path, suffix: str, start: bytes) -> None:
    path = tmp_path / "new" / f"picture{suffix}"
    assert draw_gates([trace()], path, title="A title") == ""
    assert path.read_bytes().startswith(start)


def test_means_are_written_in_the_cells_of_gates_as_they_are_and_of_signed_values_by_size(look: Look) -> None:
    values = {"forget_gate": np.array([[0.25, 0.75], [1.0, 0.0]]), "memory": np.array([[-3.0, 1.0], [0.5, 0.5]])}
    axes = means(look(CellTrace("x", ("a", "b"), values)))
    assert [label.get_text() for label in axes.get_yticklabels()] == ["forget gate", "|memory|"]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["a", "b"]
    written = {(text.get_position()[0], int(text.get_position()[1])): text.get_text() for text in axes.texts}
    assert written == {(0.5, 0): "0.50", (1.5, 0): "0.50", (0.5, 1): "2.00", (1.5, 1): "0.50"}
    assert axes.yaxis_inverted()


def test_every_value_has_a_panel_with_units_as_rows_and_tokens_as_columns(look: Look) -> None:
    shown = trace(units=5)
    drawn = panels(look(shown))
    assert list(drawn) == [name.replace("_", " ") for name in LSTM]
    order = np.argsort(-shown.values["forget_gate"].mean(axis=0))
    for name, axes in zip(LSTM, drawn.values(), strict=True):
        image = np.asarray(axes.images[0].get_array())
        tokens = image[:, :: image.shape[1] // 3]
        np.testing.assert_array_equal(tokens, shown.values[name].T[order])
        assert axes.images[0].get_extent() == [0, 3, 5, 0]


@pytest.mark.parametrize(
    ("names", "by"),
    [
        (LSTM, "forget gate"),
        (("reset_gate", "update_gate", "content", "hidden"), "update gate"),
        (("hidden",), "hidden"),
    ],
)
def test_units_that_keep_most_are_on_top_and_the_picture_says_so(look: Look, names: tuple[str, ...], by: str) -> None:
    figure = look(trace(units=30, names=names))
    rows = np.asarray(panels(figure)[by].images[0].get_array()).mean(axis=1)
    assert (np.diff(rows) < 0).all()
    assert f"30 units; below, each unit,\nthe highest mean {by} on top" in figure.texts[1].get_text()


def test_gates_go_from_nought_to_one_and_signed_values_as_far_on_either_side(look: Look) -> None:
    memory = np.zeros((2, 200))
    memory[0, :100], memory[0, 100] = -2.5, 80.0
    drawn = panels(look(CellTrace("x", ("a", "b"), {"forget_gate": np.full((2, 200), 0.5), "memory": memory})))
    assert drawn["forget gate"].images[0].get_clim() == (0, 1)
    assert drawn["memory"].images[0].get_clim() == (-2.5, 2.5)


def test_a_memory_that_holds_nothing_is_drawn(look: Look) -> None:
    assert panels(look(CellTrace("x", ("a",), {"memory": np.zeros((1, 2))})))["memory"].images[0].get_clim() == (-1, 1)


def test_lines_are_blended_only_where_there_are_more_units_than_dots(look: Look) -> None:
    assert panels(look(trace(units=100)))["hidden"].images[0].get_interpolation() == "nearest"
    assert panels(look(trace(units=512)))["hidden"].images[0].get_interpolation() == "hanning"


def test_columns_of_a_trace_stand_under_each_other(look: Look) -> None:
    figure = look(trace())
    sides = {(round(axes.get_position().x0, 6), round(axes.get_position().x1, 6)) for axes in panels(figure).values()}
    assert sides == {(round(means(figure).get_position().x0, 6), round(means(figure).get_position().x1, 6))}


@pytest.mark.parametrize(("token", "count"), [("我", 1), ("▁Mitgliedstaatenvertreter", 6), ("▁Haus", 30)])
def test_nothing_of_four_traces_lies_on_something_else(look: Look, token: str, count: int) -> None:
    figure = look(*[trace((token,) * count, units=512, names=("forget_gate", "memory"))] * 4)
    boxes = [axes.get_tightbbox().padded(-1) for axes in figure.axes]
    boxes += [text.get_window_extent().padded(-1) for text in figure.texts]
    low, high = (np.array([getattr(box, corner) for box in boxes]) for corner in ("min", "max"))
    apart = (low[:, None] >= high).any(axis=2) | (low >= high[:, None]).any(axis=2)
    assert np.argwhere(~apart).tolist() == [[index, index] for index in range(len(boxes))]


def test_short_traces_stand_side_by_side_and_long_ones_below_each_other(look: Look) -> None:
    def tops(count: int) -> list[float]:
        figure = look(*[trace(("a",) * count, names=("hidden",))] * 2)
        return [text.get_position()[1] for text in figure.texts if text.get_text() == "encoder, layer 1"]

    assert tops(4)[0] == tops(4)[1]
    assert tops(30)[0] > tops(30)[1]


def test_labels_show_text_as_people_write_it(look: Look) -> None:
    figure = look(trace(("▁", "▁a▁b", "a\nb\u200b", "$x$_", "w" * 99)))
    labels = means(figure).get_xticklabels()
    assert [label.get_text() for label in labels] == ["␣", "a b", "a b", "$x$_", "w" * 23 + "…"]
    assert not any(label.get_parse_math() for label in labels)


def test_tokens_are_written_above_the_means_and_below_the_last_panel(look: Look) -> None:
    figure = look(trace())
    below = list(panels(figure).values())[-1].get_xticklabels()
    assert [label.get_text() for label in below] == ["a", "b", "</s>"]


def test_characters_no_font_has_are_told_and_substituted_but_in_svg_left_to_the_viewer(
    look: Look, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fonts, "_installed_families", lambda: iter(()))
    assert means(look(trace(("我a",)))).get_xticklabels()[0].get_text() == f"{SUBSTITUTE}a"
    assert "我 (1 different)" in draw_gates([trace(("我a",))], tmp_path / "x.png")
    assert draw_gates([trace(("我a",))], tmp_path / "x.svg") == ""


@pytest.mark.skipif(NO_HAN_FONT, reason="no installed font has Chinese characters")
def test_chinese_is_drawn_without_a_missing_glyph(tmp_path: Path) -> None:
    assert draw_gates([trace(tuple(HAN))], tmp_path / "x.png", title=HAN) == ""


@pytest.mark.parametrize(
    "shapes", [{}, {"hidden": (2, 4)}, {"hidden": (3,)}, {"a": (3, 4), "b": (3, 5)}, {"a": (3, 0)}]
)
def test_values_that_do_not_fit_the_labels_are_refused(shapes: dict[str, tuple[int, ...]]) -> None:
    with pytest.raises(InputError, match="for 3 labels, expected"):
        CellTrace("x", ("a", "b", "c"), {name: np.zeros(shape) for name, shape in shapes.items()})


@pytest.mark.parametrize(("name", "number"), [("forget_gate", 1.5), ("forget_gate", -0.5), ("memory", np.nan)])
def test_numbers_that_are_no_gate_or_no_number_are_refused(name: str, number: float) -> None:
    with pytest.raises(InputError, match=f"'x' has {name} from .* expected"):
        CellTrace("x", ("a",), {name: np.array([[number]])})


def test_a_picture_without_a_trace_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="without a trace"):
        draw_gates([], tmp_path / "x.png")


def test_an_unknown_suffix_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"expected one of \.png, \.svg, \.pdf"):
        draw_gates([trace()], tmp_path / "x.jpg")


def test_of_many_labels_the_first_are_drawn(tmp_path) -> None:
    """A picture of a thousand tokens could not be opened."""
    labels = tuple(f"word{number}" for number in range(160))
    trace = CellTrace("encoder", labels, {"forget_gate": np.full((160, 2), 0.5)})
    said = draw_gates([trace], tmp_path / "x.svg")
    assert said == "picture of 160 labels, of which the first 150 are drawn"
    svg = (tmp_path / "x.svg").read_text(encoding="utf-8")
    assert ("word149" in svg, "word150" in svg) == (True, False)
