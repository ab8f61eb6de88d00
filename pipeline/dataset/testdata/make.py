#!/usr/bin/env python3
"""Make the files beside this script: TFRecord by TensorFlow, CIFAR after its description.

    imagenet/       train-0000?-of-00002 and validation-00000-of-00001, with ImageNet's features
    flowers.gz      the same features, GZIP, no label ids in one half and no text in the other
    cifar-10/       4 + 1 pictures
    cifar-100/      4 + 1 pictures
    expected.json   what they hold: what a reader must find, and what Pillow writes as BMP

Run it by hand after a change: python testdata/make.py. The bytes are the same every time.
"""

from __future__ import annotations

import hashlib
import io
import json
import struct
from pathlib import Path

import numpy as np
import tensorflow as tf
from PIL import Image

HERE = Path(__file__).resolve().parent
CIFAR10 = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]


def main() -> None:
    """Write everything."""
    random = np.random.default_rng(4)
    expected = {"imagenet": imagenet(random), "flowers": flowers(random), "cifar": cifar(random)}
    (HERE / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")


def sha256(data: bytes) -> str:
    """In hex."""
    return hashlib.sha256(data).hexdigest()


def picture(random: np.random.Generator) -> bytes:
    """A small PNG."""
    out = io.BytesIO()
    Image.fromarray(random.integers(0, 256, (4, 5, 3), np.uint8)).save(out, "PNG")
    return out.getvalue()


def example(**features: bytes | str | int | list[float]) -> bytes:
    """A tf.train.Example; two underscores in a name stand for a slash."""

    def feature(value: bytes | str | int | list[float]) -> tf.train.Feature:
        if isinstance(value, int):
            return tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))
        if isinstance(value, list):
            return tf.train.Feature(float_list=tf.train.FloatList(value=value))
        data = value.encode() if isinstance(value, str) else value
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[data]))

    named = {name.replace("__", "/"): feature(value) for name, value in features.items()}
    message = tf.train.Example(features=tf.train.Features(feature=named))
    return message.SerializeToString(deterministic=True)


def write(path: Path, records: list[bytes], compression: str = "") -> list[int]:
    """By TensorFlow; where each record begins."""
    path.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(path), tf.io.TFRecordOptions(compression)) as writer:
        for record in records:
            writer.write(record)
    assert [r.numpy() for r in tf.data.TFRecordDataset(str(path), compression)] == records
    sizes = [len(record) + 16 for record in records]
    return [sum(sizes[:i]) for i in range(len(sizes))]


def imagenet(random: np.random.Generator) -> list[dict]:
    """Labels from 1, as ImageNet's; two of them have one text, as its two cranes."""
    texts = {1: "tench, Tinca tinca", 135: "crane", 518: "crane"}
    names = {1: "tench, Tinca tinca", 135: "crane (135)", 518: "crane (518)"}
    found = []
    for shard, labels in {
        "train-00000-of-00002": (1, 135, 518) * 3,
        "train-00001-of-00002": (518, 1) * 3,
        "validation-00000-of-00001": (135, 1, 518),
    }.items():
        images = [picture(random) for _ in labels]
        records = [
            example(
                image__encoded=image,
                image__format="PNG",
                image__class__label=label,
                image__class__text=texts[label],
                image__filename=f"{shard}-{i}.png",
                image__height=4,
                image__object__bbox__xmin=[0.25, 0.5],
            )
            for i, (label, image) in enumerate(zip(labels, images, strict=True))
        ]
        offsets = write(HERE / "imagenet" / shard, records)
        classes = [names[label] for label in labels]
        found += described(shard, offsets, classes, images)
    return found


def flowers(random: np.random.Generator) -> list[dict]:
    """GZIP; a class by its number, by its text, by both."""
    what = [
        ({"image__class__label": 7}, "rose"),
        ({"image__class__label": 7, "image__class__text": "rose"}, "rose"),
        ({"image__class__text": "lily"}, "lily"),
        ({"image__class__label": 12}, "12"),
    ] * 3
    images = [picture(random) for _ in what]
    records = [example(image__encoded=im, **w) for im, (w, _) in zip(images, what, strict=True)]
    offsets = write(HERE / "flowers.gz", records, "GZIP")
    return described("flowers.gz", offsets, [name for _, name in what], images)


def described(file: str, offsets: list[int], classes: list[str], images: list[bytes]) -> list[dict]:
    """What is to be found in a file."""
    found = enumerate(zip(offsets, classes, images, strict=True))
    return [
        {"id": f"{file}#{i:06}", "offset": offset, "class": name, "sha256": sha256(image)}
        for i, (offset, name, image) in found
    ]


def cifar(random: np.random.Generator) -> dict[str, list[dict]]:
    """One byte of label and planes of pixels; CIFAR-100 has a coarse label before the fine one."""
    fine = [f"fine_{i}" for i in range(100)]
    (HERE / "cifar-10").mkdir(exist_ok=True)
    (HERE / "cifar-100").mkdir(exist_ok=True)
    (HERE / "cifar-10" / "batches.meta.txt").write_text("\n".join(CIFAR10) + "\n\n")
    (HERE / "cifar-100" / "fine_label_names.txt").write_text("\n".join(fine) + "\n")
    (HERE / "cifar-100" / "coarse_label_names.txt").write_text("things\nbeings\n")
    found = {"cifar-10": [], "cifar-100": []}
    for data, names, file, labels in (
        ("cifar-10", CIFAR10, "data_batch_1.bin", (9, 0)),
        ("cifar-10", CIFAR10, "data_batch_2.bin", (0, 3)),
        ("cifar-10", CIFAR10, "test_batch.bin", (3,)),
        ("cifar-100", fine, "test.bin", (99,)),
        ("cifar-100", fine, "train.bin", (17, 99, 99, 17)),
    ):
        out = b""
        for i, label in enumerate(labels):
            pixels = random.integers(0, 256, (32, 32, 3), np.uint8)
            out += struct.pack("B", label) if data == "cifar-10" else struct.pack("BB", 1, label)
            out += pixels.transpose(2, 0, 1).tobytes()
            bmp = io.BytesIO()
            Image.fromarray(pixels).save(bmp, "BMP")
            assert (tf.io.decode_bmp(bmp.getvalue()).numpy() == pixels).all()
            entry = {
                "id": f"{file}#{i:06}",
                "class": names[label],
                "sha256": sha256(bmp.getvalue()),
            }
            found[data].append(entry)
        (HERE / data / file).write_bytes(out)
    return found


if __name__ == "__main__":
    main()
