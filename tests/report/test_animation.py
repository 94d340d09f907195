"""An animation shows one sentence's heatmaps in order, in frames of one size, and begins anew."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageSequence

from s2s.errors import InputError
from s2s.report import fonts
from s2s.report.animation import write_animation
from s2s.report.heatmap import COLOURS
from s2s.report.sheet import View

WEIGHTS = (0.1, 0.5, 0.9)
TITLES = ("update 5", "update 500 and a good deal more", "update 5,000")


def frame(weight: float, source: tuple[str, ...] = ("▁a", "</s>")) -> View:
    return View(source, ("▁x", "</s>"), np.array([[weight, 1 - weight], [1 - weight, weight]]), (-0.1, -0.2))


def frames_of(path: Path) -> tuple[list[NDArray[np.uint8]], list[int], int]:
    with Image.open(path) as gif:
        frames = [(np.asarray(one.convert("RGB")), one.info["duration"]) for one in ImageSequence.Iterator(gif)]
        return [pixels for pixels, _ in frames], [duration for _, duration in frames], gif.info["loop"]


def test_frames_are_in_order_of_one_size_the_last_is_held_and_all_begins_anew(tmp_path: Path) -> None:
    path = tmp_path / "new" / "x.gif"
    assert write_animation([frame(weight) for weight in WEIGHTS], path, titles=TITLES, milliseconds=300) == ""
    frames, durations, loop = frames_of(path)
    assert len({pixels.shape for pixels in frames}) == 1
    assert durations == [300, 300, 2500]
    assert loop == 0
    for pixels, weight in zip(frames, WEIGHTS, strict=True):
        for colour in COLOURS([weight, 1 - weight], bytes=True)[:, :3].astype(int):
            near = np.abs(pixels - colour).max(axis=2) <= 4
            assert near.sum() > 2000


def test_what_does_not_change_is_drawn_alike_in_every_frame(tmp_path: Path) -> None:
    path = tmp_path / "x.gif"
    write_animation([frame(weight) for weight in WEIGHTS], path, titles=["same"] * 3)
    first, *others = frames_of(path)[0]
    assert (first[0] == 255).all()
    for other in others:
        changed = np.nonzero((first != other).any(axis=2))
        assert all(side.max() - side.min() <= 2 * 46 + 1 for side in changed)


def test_titles_of_every_frame_are_whole_and_missing_glyphs_are_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fonts, "_installed_families", lambda: iter(()))
    path = tmp_path / "x.gif"
    notice = write_animation([frame(0.1), frame(0.2)], path, titles=["short", "第 500 update, a long title"])
    assert notice.startswith("no installed font can draw 第 (1 different)")
    margins = [pixels[:, -10:] for pixels in frames_of(path)[0]]
    assert all((margin == 255).all() for margin in margins)


def test_frames_of_different_labels_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="frame 2 has other labels than the first"):
        write_animation([frame(0.1), frame(0.1, ("▁b", "</s>"))], tmp_path / "x.gif", titles=["", ""])


@pytest.mark.parametrize(("frames", "titles"), [(0, 0), (2, 1)])
def test_every_frame_has_a_title_and_there_is_one(tmp_path: Path, frames: int, titles: int) -> None:
    with pytest.raises(InputError, match=f"{titles} titles for {frames} frames"):
        write_animation([frame(0.1)] * frames, tmp_path / "x.gif", titles=["a"] * titles)


def test_weights_of_a_later_frame_are_checked(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected numbers from 0 to 1"):
        write_animation([frame(0.1), frame(2.0)], tmp_path / "x.gif", titles=["", ""])


def test_frames_too_short_to_be_shown_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="milliseconds=5, expected 20 or more"):
        write_animation([frame(0.1)], tmp_path / "x.gif", titles=["a"], milliseconds=5)


@pytest.mark.parametrize("name", ["x.png", "x"])
def test_another_suffix_is_refused_before_anything_is_written(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=r"animation .* expected \.gif; rename"):
        write_animation([frame(0.1)], tmp_path / "new" / name, titles=["a"])
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"animation .* cannot be written"):
        write_animation([frame(0.1)], tmp_path / "file" / "x.gif", titles=["a"])
