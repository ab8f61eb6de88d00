"""Augmented pixels compared with those of Keras and TensorFlow, given what tftl drew.

`tftl preview --json` prints the draws, and its PNG has the pixels, rounded to whole levels. So up
to half a level of each difference comes from the PNG; the rest is an error.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.ndimage
import tensorflow as tf
from keras.src.legacy.preprocessing.image import ImageDataGenerator
from PIL import Image
from program import tftl

ROUNDING = 0.5
SIZE = 64
GEOMETRY: dict[str, list[object]] = {
    "rotation": ["--rotation-range", 40],
    "width shift": ["--width-shift-range", 0.3],
    "height shift": ["--height-shift-range", 0.3],
    "shift by pixels": ["--width-shift-range", 9, "--height-shift-range", 1],
    "shear": ["--shear-range", 30],
    "zoom": ["--zoom-range", 0.4],
    "zoom out": ["--zoom-range", "1.5,2"],
}
GEOMETRY["all of it"] = [item for name in GEOMETRY for item in GEOMETRY[name][:2]] + [
    "--horizontal-flip",
    "--vertical-flip",
]
COLOUR = ("channel_shift_intensity", "brightness")  # Keras expects None for these if they are off

pytestmark = pytest.mark.filterwarnings("ignore:Please import `affine_transform`")


@dataclass(frozen=True)
class Augmented:
    """One picture of the sheet, its original, and what was drawn for it."""

    original: np.ndarray
    pixels: np.ndarray
    draw: dict[str, Any]


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Pictures of two shapes that look like photographs, stored without loss."""
    random = np.random.default_rng(0)
    root = tmp_path_factory.mktemp("photos")
    for height, width in ((SIZE, SIZE), (SIZE, 96)):
        for label in ("a", "b"):
            folder = root / f"{height}x{width}" / label
            folder.mkdir(parents=True)
            for i in range(8):
                y, x = np.mgrid[0:height, 0:width] / SIZE
                waves = np.sin(random.uniform(3, 20, (3, 1, 1)) * x + random.uniform(3, 20) * y)
                pixels = 128 + 100 * waves + random.normal(0, 25, waves.shape)
                picture = Image.fromarray(np.moveaxis(pixels.clip(0, 255).astype(np.uint8), 0, -1))
                picture.save(folder / f"{i}.png")
    return root


@pytest.fixture
def preview(photos, tmp_path):
    """Makes a sheet with these flags and cuts it into its pictures."""

    def made(*flags: object, width: int = SIZE) -> list[Augmented]:
        sheet, data = tmp_path / "sheet.png", photos / f"{SIZE}x{width}"
        where = ["--data", data, "--image-size", f"{SIZE},{width}", "--output", sheet]
        shown = json.loads(tftl("preview", *where, "--json", *flags))
        pixels, gap = np.asarray(Image.open(sheet).convert("RGB"), np.float32), shown["gap"]

        def cell(row: int, column: int) -> np.ndarray:
            top, left = gap + row * (SIZE + gap), gap + column * (width + gap)
            return pixels[top : top + SIZE, left : left + width]

        cut = []
        for row, image in enumerate(shown["images"]):
            stored = np.asarray(Image.open(Path(data) / image["id"]), np.float32)
            assert np.array_equal(cell(row, 0), stored), "the original is not itself"
            cut += [
                Augmented(stored, cell(row, column), draw)
                for column, draw in enumerate(image["epochs"], start=1)
            ]
        assert len(cut) == 30
        return cut

    return made


def keras_of(one: Augmented, **options: object) -> np.ndarray:
    """The picture that ImageDataGenerator makes from the original with the same draw."""
    draw = {name: one.draw.get(name) for name in COLOUR} | one.draw
    return ImageDataGenerator(**options).apply_transform(one.original, draw)


def compare(name: str, made: list[Augmented], wanted: list[np.ndarray], masks=None) -> float:
    """Print and return the largest difference beyond the PNG's rounding."""
    worst = 0.0
    for i, (one, want) in enumerate(zip(made, wanted, strict=True)):
        difference = np.abs(one.pixels - want)
        if masks is not None:
            difference = difference[masks[i]]
        worst = max(worst, difference.max(initial=0))
    beyond = max(0.0, float(worst) - ROUNDING)
    print(f"{name}: {beyond:.4f} of 255 beyond the PNG's rounding")
    return beyond


def changed(made: list[Augmented]) -> int:
    return sum(not np.array_equal(one.pixels, one.original) for one in made)


@pytest.mark.parametrize("direction", ["horizontal", "vertical"])
def test_flips_are_exact(preview, direction):
    made = preview(f"--{direction}-flip")
    assert 5 < changed(made) < 25
    for one in made:
        assert np.array_equal(one.pixels, keras_of(one))


@pytest.mark.parametrize("fill_mode", ["nearest", "reflect"])
@pytest.mark.parametrize("name", GEOMETRY)
def test_geometry_matches_keras_everywhere(preview, name, fill_mode):
    made = preview(*GEOMETRY[name], "--fill-mode", fill_mode)
    assert changed(made) == 30
    wanted = [keras_of(one, fill_mode=fill_mode) for one in made]
    assert compare(f"{name}, {fill_mode}", made, wanted) < 0.02


@pytest.mark.parametrize("fill_mode", ["constant", "wrap"])
@pytest.mark.parametrize("name", GEOMETRY)
def test_geometry_matches_keras_away_from_the_edge(preview, name, fill_mode):
    made = preview(*GEOMETRY[name], "--fill-mode", fill_mode, "--cval", 77)
    wanted = [keras_of(one, fill_mode=fill_mode, cval=77) for one in made]
    masks, edges = [], []
    for one in made:
        # Where an image of ones has ones afterwards is inside it, zeros are outside.
        geometry = {k: v for k, v in one.draw.items() if k not in COLOUR}
        ones = np.ones((SIZE, SIZE, 1), np.float32)
        ones = ImageDataGenerator(fill_mode="constant").apply_transform(ones, geometry)[..., 0]
        near = np.ones((7, 7))
        inside = scipy.ndimage.minimum_filter(ones, footprint=near) == 1
        outside = scipy.ndimage.maximum_filter(ones, footprint=near) == 0
        away = inside | outside if fill_mode == "constant" else inside
        masks.append(away)
        edges.append(~away)
    assert np.mean(masks) > 0.1
    assert compare(f"{name}, {fill_mode}, away from the edge", made, wanted, masks) < 0.02
    compare(f"{name}, {fill_mode}, elsewhere", made, wanted, edges)


def test_the_articles_augmentation_matches_keras(preview):
    made = preview("--augment", "article")
    options = {"shear_range": 0.2, "zoom_range": 0.2, "horizontal_flip": True}
    for one in made:
        drawn = {k for k in ("theta", "tx", "ty", *COLOUR) if one.draw.get(k)}
        assert not drawn and abs(one.draw["shear"]) <= 0.2
        assert 0.8 <= one.draw["zx"] <= 1.2 and 0.8 <= one.draw["zy"] <= 1.2
    assert compare("article", made, [keras_of(one, **options) for one in made]) < 0.02


def test_channel_shift_matches_keras(preview):
    made = preview("--channel-shift-range", 60)
    assert compare("channel shift", made, [keras_of(one) for one in made]) < 0.02


def test_brightness_equals_pillows(preview):
    made = preview("--brightness-range", "0.3,1.7")
    assert changed(made) == 30
    for one in made:
        assert np.array_equal(one.pixels, keras_of(one))


def test_contrast_matches_tensorflow(preview):
    made = preview("--contrast-range", "0.4,1.8")
    adjusted = [
        tf.clip_by_value(tf.image.adjust_contrast(one.original, one.draw["contrast"]), 0, 255)
        for one in made
    ]
    assert compare("contrast", made, [image.numpy() for image in adjusted]) < 0.02


def test_random_resized_crop_matches_tensorflow(preview):
    """The boxes of crop_and_resize go from pixel centre to pixel centre."""
    made = preview("--random-resized-crop", 0.2)
    wanted, masks = [], []
    for one in made:
        left, top, width, height = one.draw["crop"]
        box = []
        for start, part in ((top, height), (left, width)):
            first = start * SIZE + part / 2 - 0.5
            box += [first / (SIZE - 1), (first + part * (SIZE - 1)) / (SIZE - 1)]
        y1, y2, x1, x2 = box
        crop = tf.image.crop_and_resize(
            one.original[None], [[y1, x1, y2, x2]], [0], [SIZE, SIZE], extrapolation_value=-1000
        )
        wanted.append(crop[0].numpy())
        masks.append(wanted[-1] > -1000)  # it has no pixels beyond the outermost centres
        assert masks[-1].mean() > 0.9
    assert compare("random resized crop", made, wanted, masks) < 0.02


def test_everything_together_matches_keras(preview):
    flags = [*GEOMETRY["all of it"], "--channel-shift-range", 40, "--fill-mode", "reflect"]
    made = preview(*flags)
    wanted = [keras_of(one, fill_mode="reflect") for one in made]
    assert compare("all of Keras' but brightness", made, wanted) < 0.02
    # Brightness rounds down before and after. If only one of the two is just below a whole level,
    # they differ by a level times the factor.
    made = preview(*flags, "--brightness-range", "0.5,1.5")
    apart = np.abs([one.pixels - keras_of(one, fill_mode="reflect") for one in made])
    differ = np.mean(apart > 0)
    print(f"all of Keras': {np.max(apart):.0f} of 255 where they differ, in {differ:.4%} of values")
    assert np.max(apart) <= 2 and differ < 1e-3


def test_images_turn_around_their_centre_in_any_shape(preview):
    """Keras 3 swaps the axes of images that are not square, so SciPy is the reference."""
    made = preview("--rotation-range", 90, "--zoom-range", 0.3, width=96)
    wanted = []
    for one in made:
        turn, (height, width) = np.deg2rad(one.draw["theta"]), one.original.shape[:2]
        rotation = [[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]  # rows first
        linear = rotation @ np.diag([one.draw["zy"], one.draw["zx"]])
        centre = np.array([height, width]) / 2 - 0.5
        channels = [
            scipy.ndimage.affine_transform(
                one.original[..., c], linear, centre - linear @ centre, order=1, mode="nearest"
            )
            for c in range(3)
        ]
        wanted.append(np.stack(channels, -1))
    assert compare("rotation and zoom of 64x96", made, wanted) < 0.02


def test_another_seed_draws_other_values(preview):
    first, again, other = (preview("--rotation-range", 30, "--seed", seed) for seed in (1, 1, 2))
    assert [one.draw for one in first] == [one.draw for one in again]
    thetas = [{one.draw["theta"] for one in made} for made in (first, other)]
    assert len(thetas[0] | thetas[1]) == 60
