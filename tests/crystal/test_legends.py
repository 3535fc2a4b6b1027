"""Legends tell the truth: a pixel has the colour that a map has at the orientation shown."""

from __future__ import annotations

import numpy as np
import pytest
from orix.crystal_map import Phase
from orix.quaternion import Rotation

from napari_orient.crystal.colors import ColourScheme, colour_image, ipf_colors, resolve
from napari_orient.crystal.legend_figure import legend_figure
from napari_orient.crystal.legends import brightness_legend, colour_legend, ipf_legend
from napari_orient.crystal.rotations import LAUE_GROUPS, laue_operators, multiply
from napari_orient.data.maps import OrientationMap

SETTINGS = (*LAUE_GROUPS, "121", "211", "312")
REFERENCE = Rotation.from_euler([20, 30, 40], degrees=True).data[0]


def picture(quaternions, group, scheme, **properties):
    """Colours (n, 4) that a map of these orientations gets."""
    q = np.asarray(quaternions).reshape(1, -1, 4)
    values = {name: np.reshape(v, (1, -1)) for name, v in properties.items()}
    m = OrientationMap(q, {0: Phase(point_group=group)}, properties=values)
    return colour_image(m, scheme)[0]


def turn_to_z(directions):
    """Quaternions whose rotation takes (0, 0, 1) to each direction."""
    z = np.array([0.0, 0.0, 1.0])
    q = np.column_stack([1 + directions[:, 2], np.cross(z, directions)])
    return q / np.linalg.norm(q, axis=1, keepdims=True)


@pytest.mark.parametrize("key", ["tsl", "continuous"])
@pytest.mark.parametrize("name", SETTINGS)
def test_legend_of_directions_is_exact(name, key):
    scheme = ColourScheme(key=key)
    legend = colour_legend(name, scheme, 120)
    assert max(legend.image.shape[:2]) in (119, 120, 121)
    rows, columns = np.nonzero(legend.image[..., 3] == 255)
    directions = legend.direction_at(rows, columns)
    np.testing.assert_allclose(np.linalg.norm(directions, axis=1), 1)
    sector = legend.sector
    inside = np.min(directions @ sector.turn.T @ sector.normals.T, axis=1) > 1e-6
    shown = legend.image[rows, columns][inside]
    q = turn_to_z(directions[inside])
    np.testing.assert_array_less(np.abs(picture(q, name, scheme).astype(int) - shown), 2)
    some = np.flatnonzero(inside)[::97]
    for i in some:  # whichever equivalent comes in, the marker is there
        equivalent = multiply(laue_operators(name)[-1], turn_to_z(directions[i : i + 1])[0])
        (place,) = legend.locate(equivalent)
        np.testing.assert_allclose(place, (rows[i], columns[i]), atol=1e-6)


def test_marker_follows_an_oblique_direction():
    scheme = ColourScheme(key="continuous", direction=(1, 2, 2))
    legend = colour_legend("-3m", scheme, 500)
    q = np.random.default_rng(3).normal(size=(200, 4))
    q /= np.linalg.norm(q, axis=1, keepdims=True)
    places = np.rint([legend.locate(one)[0] for one in q]).astype(int)
    shown = legend.image[places[:, 0], places[:, 1]]
    solid = shown[:, 3] == 255
    assert solid.mean() > 0.95
    gap = np.abs(shown.astype(int) - picture(q, "-3m", scheme))[solid]
    assert gap.max() < 8  # a pixel of the legend is half a degree wide


def turned(vectors):
    """Orientations of crystals turned from the reference by rotation vectors, in degrees."""
    turn = Rotation.from_axes_angles(vectors, np.linalg.norm(vectors, axis=1), degrees=True)
    return (Rotation(REFERENCE) * ~turn).data


@pytest.mark.parametrize("group", ["m-3m", "-3m"])
@pytest.mark.parametrize("degrees", [0.5, 5.0, 20.0])
def test_legend_of_deviations_is_exact(group, degrees):
    scheme = ColourScheme(key="narrow", range_deg=degrees, reference=tuple(REFERENCE))
    legend = colour_legend(group, scheme, 120, REFERENCE)
    rows, columns = np.nonzero(legend.image[..., 3] == 255)
    vectors = legend.vectors_at(rows, columns)
    inside = np.linalg.norm(vectors, axis=1) < 0.999 * degrees
    shown = legend.image[rows, columns][inside]
    assert (vectors[inside][:, 2] != 0).any()  # of the bar, too
    q = multiply(laue_operators(group)[-1], turned(vectors[inside]))
    np.testing.assert_array_less(np.abs(picture(q, group, scheme).astype(int) - shown), 2)
    i = np.flatnonzero(inside)[len(shown) // 3]
    place = legend.locate(turned(vectors[i : i + 1])[0])[0]
    np.testing.assert_allclose(place, (rows[i], columns[i]), atol=1e-6)


def test_turns_about_the_beam_are_lighter_into_the_page():
    from napari_orient.crystal.deviation_key import deviation_colors

    into, none, out = deviation_colors([[0, 0, 4], [0, 0, 0], [0, 0, -4]], 5.0)
    for grey in (into, none, out):
        assert np.ptp(grey) < 1e-12
    assert into[0] > none[0] + 0.2
    assert none[0] > out[0] + 0.2
    red, cyan = deviation_colors([[5, 0, 0], [-5, 0, 0]], 5.0)
    np.testing.assert_allclose([red, cyan], [[1, 0, 0], [0, 1, 1]], atol=1e-12)


def test_deviation_is_an_active_turn_in_the_map_frame():
    """About x: the crystal's own axes turn from y towards z, whatever the crystal's orientation."""
    from napari_orient.crystal.deviation_key import deviation_vectors

    wanted = np.array([[3.0, 0, 0], [0, 2.0, 0], [0, 0, -4.0], [1, 2, 3]])
    q = turned(wanted)
    np.testing.assert_allclose(deviation_vectors(q, REFERENCE, "m-3m"), wanted, atol=1e-9)
    # lab2crystal matrices have the crystal's axes, in the lab, as rows
    before, after = (Rotation(one).to_matrix()[0] for one in (REFERENCE, q[0]))
    angle = np.radians(3)
    about_x = [[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]]
    np.testing.assert_allclose(after, before @ np.transpose(about_x), atol=1e-12)


def test_beyond_the_range_all_is_black_and_the_legend_says_so():
    scheme = ColourScheme(key="narrow", range_deg=3, reference=tuple(REFERENCE))
    legend = colour_legend("m-3m", scheme, 100, REFERENCE)
    inside, outside = turned(np.array([[2.9, 0, 0], [3.1, 0, 0]]))
    shown = picture([inside, outside, REFERENCE], "m-3m", scheme)
    assert shown[1].tolist() == [0, 0, 0, 255]
    assert shown[0, 0] > 240  # red: about x
    assert shown[2].tolist() == [153, 153, 153, 255]
    assert legend.locate(outside) == []
    assert "black: beyond 3°" in legend.note
    assert "+3°" in [label.text for label in legend.labels]


def test_without_a_reference_the_mean_of_each_phase_is_taken():
    q = turned(np.array([[2.0, 0, 0], [-2.0, 0, 0], [0, 1.0, 0], [0, -1.0, 0]]))
    q = multiply(laue_operators("m-3m")[[0, 3, 7, 11]], q)  # equivalents do not spoil it
    m = OrientationMap(q[None], {0: Phase(point_group="m-3m")})
    mean = resolve(m, ColourScheme(key="narrow")).references[0]
    overlap = np.abs(multiply(laue_operators("m-3m"), mean) @ REFERENCE).max()
    np.testing.assert_allclose(overlap, 1, atol=1e-8)


@pytest.mark.parametrize("group", SETTINGS)
def test_euler_colours_and_their_legend(group):
    scheme = ColourScheme(key="euler")
    q = np.random.default_rng(2).normal(size=(300, 4))
    q /= np.linalg.norm(q, axis=1, keepdims=True)
    expected = picture(q, group, scheme)
    for operator in laue_operators(group):
        np.testing.assert_array_equal(picture(multiply(operator, q), group, scheme), expected)
    legend = colour_legend(group, scheme, 1000)
    for one, colour in zip(q[:50], expected[:50], strict=True):
        for channel, (row, column) in enumerate(legend.locate(one)):
            assert 0 <= column <= legend.image.shape[1] - 1
            shown = legend.image[round(row), round(column)]
            assert abs(int(shown[channel]) - int(colour[channel])) <= 1
            assert np.delete(shown, channel).tolist() == [0, 0, 255]
    # the ends written beside the bars are angles of orientations with these very colours
    ranges = [legend.angle_at(999, bar) for bar in range(3)]
    np.testing.assert_allclose(ranges, legend.ranges)
    assert expected[:, :3].max() > 240
    assert "jump" in legend.note


def test_euler_angles_are_those_of_an_equivalent():
    from napari_orient.crystal.euler_key import euler_ranges, reduced_euler
    from napari_orient.crystal.rotations import from_euler, misorientation_angle

    flat = np.array([[10.0, 0, 20], [0, 0, 0], [30, 180, 40], [5, 90, 45], [100, 45, 90]])
    for group in SETTINGS:
        q = np.concatenate([from_euler(flat), laue_operators(group)])
        angles = reduced_euler(q, group)
        assert misorientation_angle(from_euler(angles), q, group).max() < 1e-6
        assert (angles <= np.array(euler_ranges(group)) + 1e-6).all()
        assert (angles >= 0).all()
    assert euler_ranges("m-3m") == pytest.approx((360, 54.7356, 90))
    assert euler_ranges("6/mmm") == (360, 90, 60)
    assert euler_ranges("-3") == (360, 180, 120)


def test_brightness_bar_is_exact():
    values = np.linspace(20, 80, 200)
    scheme = ColourScheme(weight="Q")
    q = np.tile([1.0, 0, 0, 0], (200, 1))  # red at full brightness
    shown = picture(q, "m-3m", scheme, Q=values)
    limits = tuple(np.percentile(values, (1, 99)))
    legend = brightness_legend("Q", limits, 601)
    for value, colour in zip(values, shown, strict=True):
        ((row, column),) = legend.place_of(value)
        assert abs(int(legend.image[round(row), round(column), 0]) - int(colour[0])) <= 1
    np.testing.assert_allclose(legend.value_at([0, 600]), limits)
    assert [label.text for label in legend.labels] == ["20.6", "Q", "79.4"]
    assert legend.place_of(np.nan) == []


@pytest.mark.parametrize(
    ("name", "texts"),
    [
        ("m-3m", {"[001]", "[101]", "[111]"}),
        ("6/mmm", {"[0001]", "[2-1-10]", "[10-10]"}),
        ("-3m", {"[0001]", "[10-10]", "[1-100]"}),
        ("312", {"[0001]", "[2-1-10]", "[11-20]"}),
        ("4/mmm", {"[001]", "[100]", "[110]"}),
        ("2/m", {"x", "-x", "y", "z"}),
    ],
)
def test_legend_labels(name, texts):
    legend = ipf_legend(name, 200)
    assert {label.text for label in legend.labels} == texts
    for text, row, column, _ in legend.labels:
        assert 0 <= row < legend.image.shape[0]
        assert 0 <= column < legend.image.shape[1]
        if text in ("[001]", "[0001]"):
            np.testing.assert_allclose(legend.direction_at(row, column), (0, 0, 1), atol=1e-6)


def test_another_setting_is_not_the_standard_one():
    """orix calls the Laue group of 121 "2/m" as well: its diad is along y all the same."""
    v = np.array([[0.3, 0.5, 0.8], [-0.3, 0.5, -0.8], [-0.3, -0.5, 0.8]])
    q = turn_to_z(v / np.linalg.norm(v[0]))
    b, c = ipf_colors(q, "121"), ipf_colors(q, "2/m")
    np.testing.assert_allclose(b[0], b[1], atol=1e-9)
    np.testing.assert_allclose(c[0], c[2], atol=1e-9)
    assert np.abs(b[0] - b[2]).max() > 0.05


def test_legend_figure_says_where_the_key_jumps():
    plain, jumping = (
        legend_figure(ipf_legend(n, 200), "x, IPF-Z", "black") for n in ("m-3m", "-3m")
    )
    for figure in (plain, jumping):
        assert figure.dtype == np.uint8
        assert figure.shape[2] == 4
    assert jumping[-25:, :, 3].any()  # a line of text
    assert not plain[-3:, :, 3].any()
    assert not ipf_legend("-3m", 64).continuous
    assert ipf_legend("m-3m", 64).continuous


@pytest.mark.parametrize("key", ["continuous", "narrow", "euler"])
def test_each_legend_becomes_a_figure(key):
    legend = colour_legend("-3m", ColourScheme(key=key), 200)
    figure = legend_figure(legend, "LiNiO2", notes=("brightness: Q",))
    assert figure.shape[0] > legend.image.shape[0]
    edges = np.concatenate([figure[:, :2, 3].ravel(), figure[:, -2:, 3].ravel()])
    assert not edges.any()  # no word is cut off
