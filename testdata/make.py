#!/usr/bin/env python3
"""Makes the networks and images that the tests use, in one folder.

    tiny/, tiny-gap/    the tiny backbone with random weights of seed 0 and a flatten or gap head
    tiny-two/           the same with a gmp head and two hidden layers
    normalized/         a Keras network with BatchNorm, so that its stage `head` has constants
    quantized/          a Keras network with its frozen parts in int8
    older/              tiny/ with version 2 of the training contract
    broken/             copies of tiny/, each with one thing that breaks the contract
    keras-softmax/      a plain Keras `model.export`: the brightest of red, green and blue; expects
                        pixels from 0 to 1. Also as keras-softmax.keras
    keras-sigmoid/      the same for blue and red, with one output, the probability of red
    keras-linear/       logits of blue and red
    keras-nan/          always NaN
    keras-vector/       a model that takes no images
    hostile/            plain models that do more than compute: write a file when they predict, or
                        read one when they are loaded; and one that calls itself
    photos/             red/ and blue/, each with 40 JPEGs of 48x40 pixels, easy to tell apart
    formats/            one picture as JPEG, PNG, BMP, GIF and WebP, and with wrong extensions
    spoilt/             images that cannot be decoded, and a near duplicate of one in photos/
    traits/             pictures with something that decoding drops, and some without
    pixels/             pictures of every kind, and what TensorFlow decodes and resizes them to
    real/               the two photographs of scikit-learn, to be cut into smaller ones
    stray.jpg           a JPEG that libjpeg decodes with a complaint on stderr

The folder appears only when it is complete. It is made again only if the exporter or this script is
newer.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pixels
import sklearn
import spoilt
from PIL import Image

if TYPE_CHECKING:
    import keras

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    """Make the folder, unless it is up to date."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", "-o", type=Path, required=True)
    output = parser.parse_args().output
    sources = [*Path(__file__).parent.glob("*.py"), *(ROOT / "scripts/tftl_export").rglob("*.py")]
    if output.is_dir() and output.stat().st_mtime > max(s.stat().st_mtime for s in sources):
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    output.parent.mkdir(parents=True, exist_ok=True)
    # A temporary folder, so that two processes can run at once.
    work = Path(tempfile.mkdtemp(prefix=f".{output.name}-", dir=output.parent))
    try:
        work.chmod(0o755)
        fill(work)
        shutil.rmtree(output, ignore_errors=True)
        work.rename(output)
        os.utime(output)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def fill(work: Path) -> None:
    """Make everything."""
    photographs(work)
    pixels.make(work / "pixels")
    spoilt.make(work / "spoilt", work / "photos" / "red" / "red-00.jpg")
    networks(work)
    hostile(work)
    older(work)
    broken(work)
    keras_models(work)


def photographs(folder: Path) -> None:
    """Make noise around red or blue; the bytes are the same every time."""
    random = np.random.default_rng(0)
    for label, colour in (("red", (200, 60, 60)), ("blue", (60, 60, 200))):
        (folder / "photos" / label).mkdir(parents=True)
        for i in range(40):
            pixels = random.normal(colour, 40, (40, 48, 3)).clip(0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / "photos" / label / f"{label}-{i:02}.jpg")
    formats = folder / "formats"
    formats.mkdir()
    ramp = np.linspace(0, 255, 40 * 48 * 3).reshape(40, 48, 3).astype(np.uint8)
    picture = Image.fromarray(ramp)
    for extension in ("jpg", "png", "bmp", "gif", "webp"):
        picture.save(formats / f"picture.{extension}")
    shutil.copy(formats / "picture.png", formats / "png-named.jpg")
    shutil.copy(formats / "picture.webp", formats / "webp-named.png")
    whole = (formats / "picture.jpg").read_bytes()
    (folder / "stray.jpg").write_bytes(whole[:-2] + b"stray" + whole[-2:])
    traits(folder / "traits", picture)
    (folder / "real").mkdir()
    for file in (Path(sklearn.__file__).parent / "datasets" / "images").glob("*.jpg"):
        shutil.copy(file, folder / "real")


def traits(folder: Path, picture: Image.Image) -> None:
    """Make pictures with something that decoding drops, and some without."""
    folder.mkdir()

    def turned(value: int, *, big: bool = False) -> bytes:
        exif = Image.Exif()
        if big:
            exif.endian = ">"
        exif[0x010F], exif[0x0112] = "Maker", value
        return exif.tobytes()

    clear, few = picture.convert("RGBA"), picture.quantize(16)
    clear.putpixel((0, 0), (1, 2, 3, 0))
    deep = Image.fromarray(np.arange(40 * 48, dtype=np.uint16).reshape(40, 48))
    for name, image, options in (
        ("plain.jpg", picture, {}),
        ("turned.jpg", picture, {"exif": turned(6)}),
        ("turned-big.jpg", picture, {"exif": turned(8, big=True)}),
        ("upright.jpg", picture, {"exif": turned(1)}),
        ("turned.png", picture, {"exif": turned(3)}),
        ("turned.webp", picture, {"exif": turned(6)}),
        ("deep.png", deep, {}),
        ("alpha.png", clear, {}),
        ("grey-alpha.png", clear.convert("LA"), {}),
        ("palette.png", few, {}),
        ("palette-alpha.png", few, {"transparency": 0}),
        ("plain.gif", few, {}),
        ("alpha.gif", few, {"transparency": 3}),
        ("plain.webp", picture, {}),
        ("alpha.webp", clear, {"lossless": True}),
        ("alpha-lossy.webp", clear, {}),
    ):
        image.save(folder / name, **options)
    picture.convert("CMYK").save(folder / "cmyk.jpg")
    whole = (folder / "cmyk.jpg").read_bytes()
    adobe = whole.index(b"\xff\xee")  # the segment has 14 bytes
    (folder / "cmyk-unmarked.jpg").write_bytes(whole[:adobe] + whole[adobe + 16 :])


def networks(folder: Path) -> None:
    """Export networks with scripts/export.py."""
    kinds = {"tiny": ["flatten"], "tiny-gap": ["gap"], "tiny-two": ["gmp", "--hidden", "2"]}
    for name, head in kinds.items():
        export("--backbone", "tiny", "--weights", "none", "-o", str(folder / name), "--head", *head)
    with tempfile.TemporaryDirectory() as work:
        model = Path(work, "normalized.keras")
        normalized().save(model)
        export("--keras-model", str(model), "--head", "gap", "-o", str(folder / "normalized"))
        model = Path(work, "quantized.keras")
        quantized().save(model)
        own = ["--keras-model", str(model), "--cut", "middle", "--preprocess", "rescale"]
        export(*own, "--head", "gap", "-o", str(folder / "quantized"))


def export(*arguments: str) -> None:
    """Run the exporter."""
    command = [sys.executable, str(ROOT / "scripts" / "export.py"), *arguments]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def normalized() -> keras.Model:
    """Two convolutions, each with a BatchNorm whose statistics are not the initial ones."""
    import keras

    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((32, 32, 3)), keras.layers.Rescaling(1 / 255)])
    for filters in (4, 8):
        model.add(keras.layers.Conv2D(filters, 3, strides=2, padding="same", use_bias=False))
        model.add(keras.layers.BatchNormalization(momentum=0.0))
        model.add(keras.layers.ReLU())
    model(np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3)).astype("f4"), training=True)
    return model


def quantized() -> keras.Model:
    """Convolutions, of which all but the first can be computed in int8."""
    import keras

    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((32, 32, 3))])
    kinds = ((8, 2, "first"), (8, 1, "second"), (16, 1, "middle"), (32, 2, "last"))
    for filters, strides, name in kinds:
        layer = keras.layers.Conv2D(filters, 3, strides, "same", activation="relu", name=name)
        model.add(layer)
    return model


def older(folder: Path) -> None:
    """Make a copy of tiny/ as an exporter of version 2 wrote it, without a feature scale."""
    import tensorflow as tf
    from tensorflow.core.framework.attr_value_pb2 import AttrValue
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    model = folder / "older"
    shutil.copytree(folder / "tiny", model)
    saved = SavedModel.FromString((model / "saved_model.pb").read_bytes())
    for graph in saved.meta_graphs:
        for signature in graph.signature_def.values():
            for output in {"accepted", "novelty"} & set(signature.outputs):
                del signature.outputs[output]
        for function in graph.graph_def.library.function:  # in which they have constants
            for node in function.node_def:
                node.name = node.name.replace("tftl_", "older_")
                inputs = [name.replace("tftl_", "older_") for name in node.input]
                node.ClearField("input")
                node.input.extend(inputs)
        if "train" not in graph.meta_info_def.tags:
            continue
        for added in ("head_inputs", "save"):
            (output,) = graph.signature_def.pop(added).outputs.values()
            name = output.name.partition(":")[0]
            (node,) = (node for node in graph.graph_def.node if node.name == name)
            graph.graph_def.node.remove(node)
        inputs = graph.signature_def["init"].inputs
        for name in ("feature_scale", "output_scale"):
            fed = inputs[name].name.partition(":")[0]
            del inputs[name]
            (node,) = (node for node in graph.graph_def.node if node.name == fed)
            node.op = "Const"
            node.attr["value"].CopyFrom(AttrValue(tensor=tf.make_tensor_proto(1.0)))
            del node.attr["shape"]
    (model / "saved_model.pb").write_bytes(saved.SerializeToString(deterministic=True))
    about = model / "assets.extra" / "tftl.json"
    description = {**json.loads(about.read_text()), "contract": 2}
    del description["sealed"]
    about.write_text(json.dumps(description, indent=2) + "\n")
    about.with_name("SHA256SUMS").unlink()


def seal(model: Path) -> None:
    """Write the digests of a model's files again, after some have been changed."""
    sums = model / "assets.extra" / "SHA256SUMS"
    files = [line.split()[1] for line in sums.read_text().splitlines()]
    digests = [hashlib.sha256((model / file).read_bytes()).hexdigest() for file in files]
    sums.write_text("".join(f"{d}  {f}\n" for d, f in zip(digests, files, strict=True)))


def broken(folder: Path) -> None:
    """Make copies of tiny/ with faults that Go must find before it runs anything."""
    from tensorflow.core.framework.types_pb2 import DT_INT32
    from tensorflow.core.protobuf.meta_graph_pb2 import MetaGraphDef
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    def write(name: str, change: Callable[[SavedModel], object]) -> None:
        model = folder / "broken" / name
        shutil.copytree(folder / "tiny", model)
        saved = SavedModel.FromString((model / "saved_model.pb").read_bytes())
        change(saved)
        (model / "saved_model.pb").write_bytes(saved.SerializeToString(deterministic=True))
        seal(model)

    def head(saved: SavedModel) -> MetaGraphDef:
        return next(g for g in saved.meta_graphs if "head" in g.meta_info_def.tags)

    def dtype(saved: SavedModel) -> None:
        head(saved).signature_def["step"].inputs["targets"].dtype = DT_INT32

    def shape(saved: SavedModel) -> None:
        head(saved).signature_def["features"].outputs["features"].tensor_shape.dim[1].size = 33

    write("no-step", lambda saved: head(saved).signature_def.pop("step"))
    write("no-head", lambda saved: saved.meta_graphs.remove(head(saved)))
    write("no-graphs", lambda saved: saved.ClearField("meta_graphs"))
    write("dtype", dtype)
    write("shape", shape)


def hostile(folder: Path) -> None:
    """Make models that tftl must not run. They mean no harm."""
    import tensorflow as tf
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    class Model(tf.Module):
        def __init__(self, act: Callable[[tf.Tensor], tf.Tensor]) -> None:
            super().__init__()
            self.bias = tf.Variable([0.0, 0.0])
            self.act = act

        @tf.function(input_signature=[tf.TensorSpec([None, 32, 32, 3], tf.float32, "images")])
        def serve(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
            logits = tf.reduce_mean(images, [1, 2])[:, :2] + self.bias
            return {"logits": self.act(logits)}

    def write(name: str, model: Model) -> Path:
        tf.saved_model.save(
            model, folder / "hostile" / name, signatures={"serving_default": model.serve}
        )
        return folder / "hostile" / name / "saved_model.pb"

    def writes(logits: tf.Tensor) -> tf.Tensor:
        with tf.control_dependencies([tf.io.write_file("written", "by a model")]):
            return tf.identity(logits)

    write("writes", Model(writes))
    words = folder / "words.txt"
    words.write_text("zero\none\n")
    table = tf.lookup.StaticVocabularyTable(
        tf.lookup.TextFileInitializer(
            str(words),
            tf.string,
            tf.lookup.TextFileIndex.WHOLE_LINE,
            tf.int64,
            tf.lookup.TextFileIndex.LINE_NUMBER,
        ),
        1,
    )
    model = Model(lambda logits: logits + tf.cast(table.lookup(tf.constant(["one"])), tf.float32))
    model.table = table
    write("reads", model)
    words.unlink()

    pb = write("calls-itself", Model(lambda logits: logits))
    saved = SavedModel.FromString(pb.read_bytes())
    (graph,) = saved.meta_graphs
    for function in graph.graph_def.library.function:
        for node in function.node_def:
            if node.attr["f"].func.name:
                node.attr["f"].func.name = function.signature.name
    pb.write_bytes(saved.SerializeToString(deterministic=True))


def keras_models(folder: Path) -> None:
    """Export models with Keras, without the contract."""
    import keras

    def write(name: str, dense: keras.layers.Dense, *weights: object) -> None:
        pool = keras.layers.GlobalAveragePooling2D()
        model = keras.Sequential([keras.Input((32, 32, 3)), pool, dense])
        dense.set_weights([np.array(w, np.float32) for w in weights])
        model.export(folder / name, verbose=False)
        model.save(folder / f"{name}.keras")

    softmax = keras.layers.Dense(3, activation="softmax")
    write("keras-softmax", softmax, 10 * np.eye(3), [0, 0, 0])
    sigmoid = keras.layers.Dense(1, activation="sigmoid")
    write("keras-sigmoid", sigmoid, [[20], [0], [0]], [-10])
    write("keras-linear", keras.layers.Dense(2), [[-8, 8], [0, 0], [8, -8]], [0, 0])
    softmax = keras.layers.Dense(2, activation="softmax")
    write("keras-nan", softmax, np.full((3, 2), np.nan), [0, 0])
    vector = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    vector.export(folder / "keras-vector", verbose=False)


if __name__ == "__main__":
    main()
