"""A moving picture of attention: how one sentence's heatmap changes over training."""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
from matplotlib.transforms import Bbox
from numpy.typing import NDArray
from PIL import Image

from s2s.errors import InputError
from s2s.report.fonts import quiet_font_search
from s2s.report.heatmap import COLOURS, Heatmaps
from s2s.report.picture import MARGIN, checked_path, writing
from s2s.report.sheet import View

__all__ = ["write_animation"]

DOTS_PER_INCH = 100
SHORTEST_FRAME, LAST_FRAME = 20, 2500  # milliseconds; browsers slow down what is quicker than the first
GREYS = 96
# The heatmap's colours, and greys for letters: 256 together, in red, green and blue.
PALETTE = np.concatenate(
    [
        COLOURS(np.linspace(0, 1, 256 - GREYS), bytes=True)[:, :3],
        np.linspace(0, 255, GREYS).round()[:, None].repeat(3, axis=1),
    ]
).astype(np.int32)


@quiet_font_search()
def write_animation(frames: Sequence[View], path: str | Path, *, titles: Sequence[str], milliseconds: int = 500) -> str:
    """Write the heatmaps of one sentence as an animated GIF that begins anew when it has ended.

    Args:
        frames: in order, all between the same labels, as forced decoding gives them.
        path: the picture, ``.gif``; folders that are missing are made.
        titles: a line above each frame, such as ``update 500``.
        milliseconds: for each frame, 20 or more; the last is held for two and a half seconds or as long, if longer.

    Returns:
        What people should know, a line each, as `draw_heatmaps` does.

    Raises:
        InputError: there is no frame, labels differ between frames, titles differ in number, frames are too short, a
            weight is not from 0 to 1, the suffix is another, or the file cannot be written.
    """
    picture = checked_path(path, "animation", (".gif",))
    _check(frames, titles, milliseconds)
    heatmaps = Heatmaps(frames[:1], titles[:1])
    page = _page(heatmaps, titles)
    images = [_photograph(heatmaps, frame, title, page) for frame, title in zip(frames, titles, strict=True)]
    durations = [milliseconds] * (len(images) - 1) + [max(milliseconds, LAST_FRAME)]
    with writing(picture, "animation") as partial:
        images[0].save(partial, save_all=True, append_images=images[1:], duration=durations, loop=0)
    return heatmaps.notice()


def _check(frames: Sequence[View], titles: Sequence[str], milliseconds: int) -> None:
    if not frames or len(titles) != len(frames):
        raise InputError(f"{len(titles)} titles for {len(frames)} frames, expected one for each of one or more")
    labels = [(frame.source, frame.target) for frame in frames]
    other = next((number for number, pair in enumerate(labels) if pair != labels[0]), None)
    if other is not None:
        raise InputError(
            f"frame {other + 1} has other labels than the first, expected the same sentence pair in all; "
            "force the decoder to one translation"
        )
    if milliseconds < SHORTEST_FRAME:
        raise InputError(f"milliseconds={milliseconds}, expected {SHORTEST_FRAME} or more; give frames longer")


def _page(heatmaps: Heatmaps, titles: Sequence[str]) -> Bbox:
    """What holds every frame, in inches: titles are of different length."""
    boxes = []
    for title in titles:
        heatmaps.entitle(title)
        boxes.append(heatmaps.figure.get_tightbbox())
    return Bbox.union(boxes).padded(MARGIN)


def _photograph(heatmaps: Heatmaps, frame: View, title: str, page: Bbox) -> Image.Image:
    """One frame, in the colours all frames share, so that nothing flickers."""
    heatmaps.colour(frame)
    heatmaps.entitle(title)
    png = BytesIO()
    heatmaps.figure.savefig(png, format="png", dpi=DOTS_PER_INCH, bbox_inches=page, facecolor="white")
    with Image.open(png) as image:
        pixels = np.asarray(image.convert("RGB"), dtype=np.int32)
    drawn = Image.fromarray(_nearest(pixels @ np.array([1 << 16, 1 << 8, 1], dtype=np.int32)))
    drawn.putpalette(PALETTE.astype(np.uint8).tobytes())
    return drawn


def _nearest(colours: NDArray[np.int32]) -> NDArray[np.uint8]:
    """Find the nearest colour of the palette, exactly, for every pixel of 24 bits."""
    table = np.zeros(1 << 24, dtype=np.uint8)
    table[colours] = 1
    present = np.flatnonzero(table)
    separate = present[:, None] >> [16, 8, 0] & 255
    table[present] = ((separate[:, None] - PALETTE) ** 2).sum(axis=2).argmin(axis=1)
    return table[colours]
