"""Pictures are written, labels are readable in any script, and no character is lost without a word."""

import logging
import re
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from s2s.errors import InputError
from s2s.report import fonts, heatmap
from s2s.report.fonts import SUBSTITUTE
from s2s.report.heatmap import Heatmaps, draw_heatmap, draw_heatmaps
from s2s.report.labels import readable
from s2s.report.sheet import View

Look = Callable[..., Figure]
HAN = "我们好"


def needs_font_for(text: str) -> pytest.MarkDecorator:
    lacking = "".join(fonts.choose_families(text)[1])
    return pytest.mark.skipif(bool(lacking), reason=f"no installed font has {lacking}")


def view(source: Sequence[str], target: Sequence[str], weights: NDArray[np.float64] | None = None) -> View:
    if weights is None:
        weights = np.full((len(target), len(source)), 1 / max(1, len(source)))
    return View(tuple(source), tuple(target), weights, (-0.5,) * len(target))


@pytest.fixture
def look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Look:
    """Draw and hand over the figure that would have been saved."""
    figures: list[Figure] = []
    monkeypatch.setattr(heatmap, "save_picture", lambda figure, path, kind: figures.append(figure))

    def draw(*views: View, titles: Sequence[str] = ()) -> Figure:
        draw_heatmaps(views, tmp_path / "x.png", titles=titles or [""] * len(views))
        figures[-1].canvas.draw()
        return figures[-1]

    return draw


def ink(text: str) -> NDArray[np.uint8]:
    """The pixels of a label as a heatmap writes it."""
    figure = Figure(figsize=(3, 0.6))
    canvas = FigureCanvasAgg(figure)
    families, missing = fonts.choose_families(text)
    assert not missing
    figure.text(0.1, 0.3, text, fontproperties=fonts.font(families, 20), parse_math=False)
    canvas.draw()
    dark = np.asarray(canvas.buffer_rgba())[:, :, 0] < 128
    rows, columns = np.nonzero(dark)
    return dark[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1].astype(np.uint8)


@pytest.mark.parametrize(
    ("suffix", "start"), [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF"), (".PNG", b"\x89PNG")]
)
def test_the_suffix_chooses_the_format_and_folders_are_made(tmp_path: Path, suffix: str, start: bytes) -> None:
    path = tmp_path / "new" / f"picture{suffix}"
    assert draw_heatmap(view(["▁a", "b", "</s>"], ["▁x", "</s>"]), path, title="A title") == ""
    assert path.read_bytes().startswith(start)


def test_rows_are_target_and_columns_source_from_the_top_left(look: Look) -> None:
    attention = np.array([[0.75, 0.25, 0.0], [0.0, 0.5, 0.5]])
    axes = look(view(["▁a", "▁b", "</s>"], ["▁x", "y"], attention)).axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["a", "b", "</s>"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["x", "y"]
    mesh = axes.collections[0]
    np.testing.assert_array_equal(np.asarray(mesh.get_array()).reshape(2, 3), attention)
    assert axes.yaxis_inverted()
    assert mesh.get_clim() == (0, 1)


def test_labels_show_text_as_people_write_it(look: Look) -> None:
    shown = {
        "▁": "␣",
        "▁a▁b": "a b",
        "a\nb\u200b": "a b",
        "$x$_": "$x$_",
        "w" * 99: "w" * 23 + "…",
        "▁\u200fשלום\u200e": "שלום",
        "▁می\u200cخواهم": "می\u200cخواهم",
        "\u200c": "␣",
        "w" * 22 + "e\u0301\u0323x": "w" * 22 + "…",
    }
    labels = look(view(list(shown), ["▁x"])).axes[0].get_xticklabels()
    assert [label.get_text() for label in labels] == list(shown.values())
    assert not any(label.get_parse_math() for label in labels)
    assert readable("\N{ARABIC END OF AYAH}") == "\N{ARABIC END OF AYAH}"


def test_arabic_letters_are_joined() -> None:
    joined, alone = ink("سبب"), ink("س").shape[1] + 2 * ink("ب").shape[1]
    assert joined.shape[1] < 0.8 * alone
    assert joined.any(axis=0).all()


def test_hebrew_runs_from_right_to_left() -> None:
    left_to_right = "\u202d{}\u202c"
    np.testing.assert_array_equal(ink("שלום"), ink(left_to_right.format("םולש")))
    assert not np.array_equal(ink("שלום"), ink(left_to_right.format("שלום")))


def test_a_joiner_changes_the_letters_beside_it_and_is_not_drawn() -> None:
    assert not ink("می\u200cخواهم").any(axis=0).all()
    assert ink("می\u200cخواهم").shape[1] > ink("میخواهم").shape[1]


@needs_font_for("विद्या")
def test_devanagari_consonants_form_conjuncts_and_the_short_i_stands_before_its_letter() -> None:
    assert ink("क्ष").shape[1] < 0.8 * (ink("क").shape[1] + ink("ष").shape[1])
    assert ink("क्\u200dष").shape[1] > ink("क्ष").shape[1]
    width = ink("त").shape[1] // 2
    np.testing.assert_array_equal(ink("ति")[-8:, -width:], ink("त")[-8:, -width:])


@pytest.mark.parametrize("count", [3, 12, 40, 100])
@pytest.mark.parametrize("token", ["▁a", "▁word", "▁Mitgliedstaaten", "▁الكتاب"])
def test_labels_stay_large_enough_and_apart(look: Look, count: int, token: str) -> None:
    axes = look(view([token] * count, [token] * 5)).axes[0]
    across, down = axes.get_xticklabels(), axes.get_yticklabels()
    size = min(float(label.get_fontsize()) for label in [*across, *down])
    assert size >= 10
    boxes = [label.get_window_extent() for label in down]
    assert all(upper.y0 >= lower.y1 for upper, lower in pairwise(boxes))
    if across[0].get_rotation() == 45:
        pitch = axes.get_window_extent().width / count / np.sqrt(2)
        assert pitch >= size * axes.figure.dpi / 72
    else:
        boxes = [label.get_window_extent() for label in across]
        assert all(left.x1 <= right.x0 for left, right in pairwise(boxes))


@pytest.mark.parametrize(("label", "count", "degrees"), [("a", 5, 0), ("Wortes", 5, 45), ("Wortes", 60, 90)])
def test_long_source_labels_are_slanted_and_many_are_upright(look: Look, label: str, count: int, degrees: int) -> None:
    assert look(view([label] * count, ["x"])).axes[0].get_xticklabels()[0].get_rotation() == degrees


def test_sixty_words_are_readable_where_a_page_shows_a_picture_900_pixels_wide(look: Look) -> None:
    figure = look(view(["▁Wortes"] * 60, ["▁Wortes"] * 60))
    letters = figure.axes[0].get_xticklabels()[0].get_fontsize() / 72
    assert letters * 900 / figure.get_tightbbox().width >= 9


def test_of_many_labels_the_first_are_drawn_and_it_is_said(tmp_path: Path, look: Look) -> None:
    long = view([f"s{i}" for i in range(151)], [f"t{i}" for i in range(3)])
    axes = look(long).axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == [f"s{i}" for i in range(150)]
    assert len(axes.get_yticklabels()) == 3
    notice = draw_heatmap(long, tmp_path / "x.png")
    assert notice.startswith("heatmap of 3 target and 151 source labels, of which the first 150 are drawn; draw words")
    assert "\n" not in notice


def test_several_heatmaps_stand_apart_in_rows_with_their_titles(look: Look) -> None:
    labels = [f"word{i}" for i in range(20)]
    figure = look(view(labels, labels), view(labels, labels[:3]), view(labels, labels), titles=["one", "two", "three"])
    *panels, scale = figure.axes
    assert [panel.get_title(loc="left") for panel in panels] == ["one", "two", "three"]
    first, second, third = (panel.get_tightbbox() for panel in panels)
    assert first.x1 < second.x0
    assert panels[0].get_position().y1 == panels[1].get_position().y1
    assert third.y1 < min(first.y0, second.y0)
    assert scale.get_position().x0 > panels[1].get_position().x1


def test_a_long_title_is_broken_into_lines_no_wider_than_the_picture(look: Look) -> None:
    axes = look(view(["▁word"] * 8, ["▁word"]), titles=["a title of many words " * 9]).axes[0]
    assert axes.get_title(loc="left").count("\n") >= 2
    assert axes.get_tightbbox().width < 1.8 * axes.get_window_extent().width


def test_colours_darken_in_even_steps() -> None:
    red_green_blue = heatmap.COLOURS(np.linspace(0, 1, 11))[:, :3]
    linear = np.where(red_green_blue <= 0.04045, red_green_blue / 12.92, ((red_green_blue + 0.055) / 1.055) ** 2.4)
    lightness = 116 * np.cbrt(linear @ [0.2126, 0.7152, 0.0722]) - 16
    np.testing.assert_allclose(np.diff(lightness), -8.2, atol=0.6)


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_drawing_leaves_pyplot_alone(tmp_path: Path, suffix: str) -> None:
    from matplotlib import pyplot

    before = pyplot.get_fignums(), pyplot.rcParams.copy()
    draw_heatmap(view(["a"], ["x"]), tmp_path / f"x{suffix}")
    assert (pyplot.get_fignums(), pyplot.rcParams.copy()) == before


def test_characters_no_font_has_are_substituted(look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fonts, "_installed_families", lambda: iter(()))
    axes = look(view(["▁我a", "们我"], ["▁x"])).axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == [f"{SUBSTITUTE}a", SUBSTITUTE * 2]


def test_the_notice_names_missing_characters_once_in_order_from_labels_and_title(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fonts, "_installed_families", lambda: iter(()))
    notice = draw_heatmap(view(["▁们", "a"], ["我们"]), tmp_path / "x.png", title="好")
    assert notice.startswith("no installed font can draw 们我好 (3 different)")


def test_an_emoji_that_only_colour_fonts_have_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fonts, "_installed_families", lambda: iter(()))
    notice = draw_heatmap(view(["👩\u200d👧", "❤\ufe0f"], ["x"]), tmp_path / "x.png")
    assert notice.startswith("no installed font can draw 👩👧 (2 different)")
    assert "fonts-symbola" in notice


def test_svg_keeps_text_for_the_viewer_to_choose_glyphs_and_needs_no_notice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fonts, "_installed_families", lambda: iter(()))
    path = tmp_path / "x.svg"
    assert draw_heatmap(view(["▁我们", "👩\u200d👧"], ["▁الكتاب"]), path, title="हिन्दी") == ""
    written = path.read_text(encoding="utf-8")
    for text in ("我们", "👩\u200d👧", "الكتاب", "हिन्दी"):
        assert f">{text}</text>" in written
    assert re.search(r"font-family: 'DejaVu Sans'[^;]*, sans-serif", written)


def test_svg_has_room_for_glyphs_whose_width_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An em each, for characters of Chinese, left of the grid."""
    monkeypatch.setattr(fonts, "_installed_families", lambda: iter(()))
    path = tmp_path / "x.svg"
    draw_heatmap(view(["a"], ["▁" + "我" * 20]), path)
    anchor = re.search(r'text-anchor: end[^>]* x="([\d.]+)"[^>]*>我', path.read_text(encoding="utf-8"))
    assert anchor is not None
    assert float(anchor[1]) >= 20 * 12


@needs_font_for(HAN)
def test_chinese_is_drawn_without_a_missing_glyph_or_a_log_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert draw_heatmap(view(list(HAN), ["▁ok"]), tmp_path / "x.png", title=HAN) == ""
    assert caplog.records == []


@needs_font_for("日本です")
def test_each_side_has_the_fonts_of_its_own_language(look: Look) -> None:
    axes = look(view(["▁日本", "です"], ["▁日本"])).axes[0]
    japanese, chinese = (labels[0].get_fontfamily() for labels in (axes.get_xticklabels(), axes.get_yticklabels()))
    assert japanese == fonts.choose_families("日本です")[0]
    assert chinese == fonts.choose_families("日本")[0]


def test_an_empty_matrix_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="0 target and 1 source labels, expected at least one of each"):
        draw_heatmap(view(["a"], []), tmp_path / "x.png")


@pytest.mark.parametrize("weight", [np.nan, -3.0, 2.0])
def test_weights_that_are_no_attention_are_refused(tmp_path: Path, weight: float) -> None:
    with pytest.raises(InputError, match="expected numbers from 0 to 1"):
        draw_heatmap(view(["a"], ["x"], np.array([[weight]])), tmp_path / "x.png")


@pytest.mark.parametrize("count", [0, 1])
def test_every_heatmap_has_a_title(tmp_path: Path, count: int) -> None:
    with pytest.raises(InputError, match=rf"{1 - count} titles for {count} heatmaps"):
        Heatmaps([view(["a"], ["x"])] * count, ["title"] * (1 - count))


@pytest.mark.parametrize("name", ["x.jpg", "x"])
def test_an_unknown_suffix_is_refused_before_anything_is_written(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=r"expected one of \.png, \.svg, \.pdf"):
        draw_heatmap(view(["a"], ["x"]), tmp_path / "new" / name)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        draw_heatmap(view(["a"], ["x"]), tmp_path / "file" / "x.png")
