"""A printed figure: its size, its pixels, its scale bar, its words."""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_orient.crystal.figure import Mark, Picture, Print, bar_length, draw, save_figure
from napari_orient.crystal.figure_keys import ColourBar, Key
from napari_orient.crystal.figure_text import text_width, without_minus, wrapped
from napari_orient.crystal.legends import ipf_legend
from napari_orient.files import UnreadableFile
from napari_orient.jobs import run

if TYPE_CHECKING:
    from pathlib import Path


def picture(**more: Any) -> Picture:
    """40 x 60 points, 2 nm x 5 nm, red and blue columns in turn."""
    image = np.zeros((40, 60, 4), np.uint8)
    image[..., 3] = 255
    image[:, ::2, 0] = 255
    image[:, 1::2, 2] = 255
    return Picture(image, **{"step": (2.0, 5.0), "unit": "nm", **more})


def pixels(path: Path) -> np.ndarray:
    from matplotlib.image import imread

    return np.rint(255 * imread(path)[..., :3]).astype(np.uint8)


def test_png_has_the_width_the_aspect_and_whole_data_pixels(tmp_path: Path) -> None:
    how = Print(width=85, dpi=600, scale_bar=False, notes=False)
    path = run(save_figure(picture(), tmp_path / "a.png", how))
    rgb = pixels(path)
    assert rgb.shape[1] == pytest.approx(85 / 25.4 * 600, abs=1)
    with path.open("rb") as file:  # the resolution is written into the file, in pixels per metre
        found = re.search(rb"pHYs(.{4})(.{4})", file.read(), re.DOTALL)
    assert struct.unpack(">I", found[1])[0] == pytest.approx(600 / 0.0254, rel=1e-3)
    row = rgb[rgb.shape[0] // 3]
    there = np.flatnonzero((row != 255).any(axis=1))
    runs = np.diff(np.flatnonzero(np.diff(row[:, 0].astype(int)) != 0))
    assert set(runs.tolist()) == {32}  # 1960 px of the figure / 60 columns, always the same
    assert set(map(tuple, row[there].tolist())) == {(255, 0, 0), (0, 0, 255)}  # nothing mixed
    column = rgb[:, there[0] + 5]
    height = np.count_nonzero((column != 255).any(axis=1))
    assert height / len(there) == pytest.approx(40 * 2 / (60 * 5), rel=0.005)


@pytest.mark.parametrize(("step", "unit"), [((2.0, 5.0), "nm"), ((0.3, 0.3), "um")])
def test_scale_bar_is_as_long_as_it_says(
    step: tuple[float, float], unit: str, tmp_path: Path
) -> None:
    shown = picture(step=step, unit=unit)
    length, words = bar_length(shown)
    assert words == {"nm": "50 nm", "um": "5 µm"}[unit]
    rgb = pixels(run(save_figure(shown, tmp_path / "a.png", Print(notes=False))))
    white = (rgb == 255).all(axis=2)
    inside = white[:, 60:-60]  # without the margins
    longest = max(_runs(row[: inside.shape[1] // 2]) for row in inside if not row.all())
    wide = np.count_nonzero(~white[20 + 40], axis=0)
    assert longest / wide == pytest.approx(length / (60 * step[1]), rel=0.01)


def _runs(row: np.ndarray) -> int:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], row.astype(int), [0]])))
    return int(np.diff(edges)[::2].max(initial=0))


def test_svg_and_pdf_keep_words_as_words(tmp_path: Path) -> None:
    key = Key(ipf_legend("-3m", 128), "LiNiO2, IPF-Z")
    bar = ColourBar(np.linspace(0, 1, 40).reshape(10, 4), (0.0, 98.5), "Q in %")
    notes = ("Map frame: x right, y down, z into the page.",)
    mark = Mark(np.array([[1, 1], [9, 9], [1, 9]]))
    shown = picture(title="Fig. 1", notes=notes, keys=(key,), bars=(bar,), marks=(mark,))
    svg = run(save_figure(shown, tmp_path / "a.svg")).read_text(encoding="utf-8")
    for words in ("Fig. 1", "50 nm", "x right, y down", "LiNiO2, IPF-Z", "98.5", "Q in %"):
        assert words in svg
    assert 'width="240.9' in svg  # 85 mm in points
    assert svg.count("<image") == 3  # picture, key and bar are pixels, nothing else
    pdf = run(save_figure(shown, tmp_path / "a.pdf")).read_bytes()
    assert pdf.startswith(b"%PDF")
    assert b"FontFile2" in pdf  # TrueType: letters can be edited


@pytest.mark.parametrize("group", ["-1", "-3m", "6/mmm", "m-3m"])
@pytest.mark.parametrize("width", [50, 85, 170])
@pytest.mark.parametrize(("columns", "keys"), [(60, 2), (200, 1)])
def test_no_words_are_clipped_or_overlap(group: str, width: float, columns: int, keys: int) -> None:
    """200 columns leave the picture far inside the margins: its pixels are whole."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    notes = ("Map frame: x right, y down, z into the page. " * 3, "Dark field: sum of counts.")
    shown = Picture(
        np.full((40, columns, 4), 255, np.uint8), (2.0, 5.0), "nm", title="Title", notes=notes,
        keys=(Key(ipf_legend(group, 64), "A phase, IPF-Z"),) * keys,
    )  # fmt: skip
    figure = draw(shown, Print(width=width, dpi=100))
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    texts = [t for a in figure.axes for t in a.texts] + figure.texts
    boxes = [t.get_window_extent() for t in texts if t.get_text()]
    whole = figure.bbox
    for number, box in enumerate(boxes):
        assert box.x0 >= -0.5
        assert box.y0 >= -0.5
        assert box.x1 <= whole.x1 + 0.5
        assert box.y1 <= whole.y1 + 0.5
        for other in boxes[:number]:
            across = min(box.x1, other.x1) - max(box.x0, other.x0)
            down = min(box.y1, other.y1) - max(box.y0, other.y0)
            assert min(across, down) < 1.5  # px at 100 dpi


def test_bars_stand_above_the_negative_indices() -> None:
    assert without_minus("[10-10]") == ("[1010]", (3,))
    assert without_minus("[-1-12]") == ("[112]", (1, 2))
    assert without_minus("−5°") == ("−5°", ())
    key = Key(ipf_legend("-3m", 64))
    figure = draw(picture(keys=(key,)))
    axes = figure.axes[1]
    assert sorted(t.get_text() for t in axes.texts) == ["[0001]", "[1010]", "[1100]"]
    left = {t.get_text(): t.get_position()[0] for t in axes.texts}
    middles = sorted(float(np.mean(line.get_xdata())) for line in axes.lines)
    half = text_width("1", 7) / 2
    wanted = (left["[1100]"] + text_width("[1", 7), left["[1010]"] + text_width("[10", 7))
    assert middles == pytest.approx([place + half for place in wanted], abs=0.1)


def test_wrapped_lines_fit() -> None:
    lines = wrapped(["one two three four five six seven eight nine ten"], 20.0, 7)
    assert len(lines) > 1
    assert all(text_width(line, 7) <= 20 for line in lines)
    assert " ".join(lines).split()[-1] == "ten"


def test_transparent_points_have_the_ground(tmp_path: Path) -> None:
    image = np.zeros((20, 20, 4), np.uint8)
    for ground, value in (("white", 255), ("black", 0)):
        how = Print(ground=ground, scale_bar=False, dpi=72)
        rgb = pixels(run(save_figure(Picture(image), tmp_path / f"{ground}.png", how)))
        assert (rgb[rgb.shape[0] // 2, rgb.shape[1] // 2] == value).all()


def test_what_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match=r"end in \.png"):
        run(save_figure(picture(), tmp_path / "a.jpg"))
    with pytest.raises(UnreadableFile, match="folder that does not exist"):
        run(save_figure(picture(), tmp_path / "none" / "a.png"))
    with pytest.raises(ValueError, match="nothing to print"):
        draw(Picture(np.zeros((0, 3, 4), np.uint8)))
