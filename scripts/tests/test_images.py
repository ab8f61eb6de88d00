"""Decoding, resizing and preprocessing compared with Keras."""

from __future__ import annotations

import io

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras.src.applications import imagenet_utils
from keras.src.legacy.preprocessing.image import ImageDataGenerator
from PIL import Image

from tftl_export.commands import export
from tftl_export.graph.images import INTERPOLATIONS, PREPROCESSINGS, Input


def picture(height, width, seed=0):
    """A smooth picture with edges and some noise, like a photograph."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width] / max(height, width)
    waves = [np.sin(9 * (i + 1) * x + i) + np.cos(7 * (i + 1) * y - i) for i in range(3)]
    pixels = 128 + 55 * np.stack(waves, -1) + 60 * ((x + y) % 0.5 > 0.25)[..., None]
    return np.clip(pixels + random.normal(0, 4, pixels.shape), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A data set for Keras with several shapes and formats."""
    root = tmp_path_factory.mktemp("photos")
    shapes = [(50, 70), (224, 224), (301, 200), (20, 31), (640, 480)]
    for name in ("a", "b"):
        (root / name).mkdir()
        for i, (height, width) in enumerate(shapes):
            image = Image.fromarray(picture(height, width, seed=i + ord(name)))
            image.save(root / name / f"{i}.jpg", quality=90)
            image.save(root / name / f"{i}.png")
        image.save(root / name / "bitmap.bmp")
        image.convert("L").save(root / name / "grey.jpg")
        image.convert("RGBA").save(root / name / "alpha.png")
        image.quantize(16).save(root / name / "still.gif")
        Image.fromarray(picture(37, 1)).save(root / name / "narrow.png")
        Image.fromarray(picture(1, 37)).save(root / name / "flat.png")
    return root


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
def test_pixels_equal_image_dataset_from_directorys(folder, interpolation):
    data = keras.utils.image_dataset_from_directory(
        folder,
        image_size=(96, 64),
        interpolation=interpolation,
        batch_size=1,
        shuffle=False,
        verbose=False,
    )
    image = Input((96, 64), interpolation, "none")
    assert len(data.file_paths) == 32
    for path, (want, _) in zip(data.file_paths, data, strict=True):
        got = image.decode(tf.io.read_file(path))
        assert np.array_equal(got, want[0]), path


def test_the_defaults_are_image_dataset_from_directorys(folder):
    data = keras.utils.image_dataset_from_directory(
        folder, image_size=(96, 64), batch_size=1, shuffle=False, verbose=False
    )
    options = export._parse(["--output", "x"], "export.py")
    image = export._image(options, (96, 64), "none")
    for path, (want, _) in zip(data.file_paths, data, strict=True):
        assert np.array_equal(image.decode(tf.io.read_file(path)), want[0]), path


@pytest.mark.parametrize("size", [(96, 64), (51, 77), (40, 40)])
@pytest.mark.parametrize("interpolation", ["bilinear", "nearest"])
@pytest.mark.parametrize("fit", ["crop", "pad"])
def test_crop_and_pad_equal_image_dataset_from_directorys(folder, fit, interpolation, size):
    data = keras.utils.image_dataset_from_directory(
        folder,
        image_size=size,
        interpolation=interpolation,
        batch_size=1,
        shuffle=False,
        verbose=False,
        **{f"{fit}_to_aspect_ratio": True},
    )
    image = Input(size, interpolation, "none", fit)
    for path, (want, _) in zip(data.file_paths, data, strict=True):
        assert np.array_equal(image.decode(tf.io.read_file(path)), want[0]), path


def off_ties(height_or_width, resized):
    """Which pixels have a centre that is not exactly between two pixels of the image."""
    return (2 * np.arange(resized) + 1) * height_or_width % (2 * resized) != 0


def test_nearest_equals_flow_from_directorys(folder):
    """For PNG; if two pixels are equally near, Pillow may choose the other one."""
    flow = ImageDataGenerator().flow_from_directory(
        folder, target_size=(96, 64), batch_size=1, shuffle=False, interpolation="nearest"
    )
    image = Input((96, 64), "nearest", "none")
    exact = compared = 0
    for path in flow.filepaths:
        want = next(flow)[0][0]
        if path.endswith(".png") and "alpha" not in path:
            got = image.decode(tf.io.read_file(path)).numpy()
            width, height = Image.open(path).size
            clear = np.ix_(off_ties(height, 96), off_ties(width, 64))
            assert np.array_equal(got[clear], want[clear]), path
            exact += np.array_equal(got, want)
            compared += 1
    assert (exact, compared) == (12, 14)


@pytest.mark.parametrize("fit", ["crop", "pad"])
def test_a_graph_computes_the_same_sides(fit):
    """TensorFlow turns a division by a constant into a multiplication, which rounds differently."""
    image = Input((31, 75), "nearest", "none", fit)
    graph = tf.function(image.decode, input_signature=[tf.TensorSpec([], tf.string)])
    for height in range(20, 120, 7):
        out = io.BytesIO()
        Image.fromarray(picture(height, 90)).save(out, "PNG")
        assert np.array_equal(graph(out.getvalue()), image.decode(out.getvalue())), height


def test_padding_leaves_something_of_a_thin_image():
    """resize_with_pad rounds its width to 0 and leaves nothing."""
    out = io.BytesIO()
    Image.fromarray(np.full((300, 1, 3), 200, np.uint8)).save(out, "PNG")
    got = Input((40, 40), "bilinear", "none", "pad").decode(out.getvalue()).numpy()
    assert np.argwhere(got.any(axis=(0, 2))).ravel().tolist() == [19]
    assert (got[:, 19] == 200).all()


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic", "lanczos3"])
def test_the_difference_to_pillow_is_known(folder, interpolation):
    """Pillow decodes JPEGs differently, and widens its filters to shrink an image."""
    image = Input((224, 224), interpolation, "none")
    name = interpolation.removesuffix("3")
    for case, path in (("same size, PNG", "a/1.png"), ("same size, JPEG", "a/1.jpg"),
                       ("shrunk to 0.35, JPEG", "a/4.jpg")):  # fmt: skip
        want = keras.utils.load_img(folder / path, target_size=(224, 224), interpolation=name)
        got = image.decode(tf.io.read_file(str(folder / path))).numpy()
        difference = np.abs(got - np.asarray(want, np.float32))
        print(f"{interpolation}, {case}: mean {difference.mean():.2f} max {difference.max():.0f}")
        if case == "same size, PNG":
            assert difference.max() < 1e-3
        elif case == "same size, JPEG":
            assert difference.max() <= 8 and difference.mean() < 1


@pytest.mark.parametrize("mode", ["caffe", "tf", "torch"])
def test_preprocessing_matches_keras_applications(mode):
    pixels = np.random.default_rng(0).uniform(0, 255, (2, 8, 8, 3)).astype(np.float32)
    want = imagenet_utils.preprocess_input(pixels.copy(), mode=mode, data_format="channels_last")
    got = Input((8, 8), "bilinear", mode).preprocess_pixels(tf.constant(pixels))
    np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-6)


def test_rescale_divides_by_255_and_none_changes_nothing():
    assert set(PREPROCESSINGS) == {"caffe", "tf", "torch", "rescale", "none"}
    pixels = np.arange(256, dtype=np.float32).reshape(1, 16, 16, 1).repeat(3, axis=3)
    rescaled = Input((16, 16), "bilinear", "rescale").preprocess_pixels(tf.constant(pixels))
    want = keras.layers.Rescaling(1 / 255)(pixels)
    assert np.array_equal(rescaled, want)
    untouched = Input((16, 16), "bilinear", "none").preprocess_pixels(tf.constant(pixels))
    assert np.array_equal(untouched, pixels)


def test_a_batch_keeps_its_order_and_an_animation_gives_its_first_frame():
    frames = [Image.fromarray(picture(40, 40, seed)) for seed in (1, 2, 3)]
    files = []
    for frame in frames:
        out = io.BytesIO()
        frame.save(out, "PNG")
        files.append(out.getvalue())
    image = Input((16, 16), "bilinear", "none")
    batch = image.decode_batch(tf.constant(files))
    assert np.array_equal(batch, [image.decode(file) for file in files])

    out = io.BytesIO()
    first = frames[0].quantize(8)
    first.save(out, "GIF", save_all=True, append_images=[f.quantize(8) for f in frames[1:]])
    still = io.BytesIO()
    first.save(still, "GIF")
    assert np.array_equal(image.decode(out.getvalue()), image.decode(still.getvalue()))
