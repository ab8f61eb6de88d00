"""Write pictures to a folder, with the pixels that TensorFlow makes of them.

index.json lists them. The expected pixels are raw: uint8 of decoded JPEGs, float32 of what the
exported graph makes of a picture.
"""

from __future__ import annotations

import itertools
import json
import sys
from pathlib import Path

import numpy as np
import tensorflow as tf
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "scripts"))

from tftl_export.graph.images import Input  # noqa: E402

SIZES = ((1, 1), (2, 3), (5, 4), (16, 16), (33, 47), (64, 41))  # width, height


def main(folder: Path) -> None:
    """Write everything."""
    decoded, resized = [], []
    for width, height in SIZES:
        picture = photograph(width, height)
        for sampling in ("4:4:4", "4:2:2", "4:2:0"):
            file = folder / f"{width}x{height}-{sampling.replace(':', '')}.jpg"
            picture.save(file, quality=90, subsampling=sampling, progressive=sampling == "4:2:0")
            decoded.append(file)
        for mode in ("L", "CMYK"):
            file = folder / f"{width}x{height}-{mode}.jpg"
            picture.convert(mode).save(file, quality=90, subsampling="4:4:4")
            decoded.append(file)
    tall = folder / "440.jpg"
    tall.write_bytes(turned((folder / "16x16-422.jpg").read_bytes()))
    decoded.append(tall)
    for file in decoded:
        pixels = tf.io.decode_jpeg(file.read_bytes(), channels=3, dct_method="INTEGER_ACCURATE")
        file.with_suffix(".raw").write_bytes(pixels.numpy().tobytes())
    for fit, size in itertools.product(("stretch", "crop", "pad"), ((32, 32), (20, 41))):
        graph = tf.function(Input(size, "bilinear", "none", fit).decode, autograph=False)
        for width, height in (*SIZES, (90, 7), (7, 90), (32, 32)):
            file = folder / f"{width}x{height}.png"
            photograph(width, height).save(file)
            name = f"{file.stem}-{fit}-{size[0]}.raw"
            pixels = graph(tf.constant(file.read_bytes()))
            (folder / name).write_bytes(pixels.numpy().tobytes())
            resized.append({"picture": file.name, "pixels": name, "fit": fit, "size": size})
    names = [{"picture": file.name, "pixels": f"{file.stem}.raw"} for file in decoded]
    (folder / "index.json").write_text(json.dumps({"decoded": names, "resized": resized}))


def photograph(width: int, height: int) -> Image.Image:
    """Make a picture with soft and hard edges in all colours."""
    y, x = np.mgrid[0:height, 0:width]
    channels = [128 + 90 * np.sin(x / 5 + k) + 60 * ((x // 7 + y // (3 + k)) % 2) for k in range(3)]
    noise = np.random.default_rng(width * height).normal(0, 6, (height, width, 3))
    return Image.fromarray(np.clip(np.stack(channels, -1) + noise, 0, 255).astype(np.uint8))


def turned(jpeg: bytes) -> bytes:
    """Give a 4:2:2 JPEG the header of a 4:4:0 one, which Pillow cannot write.

    Blocks that lay side by side then lie below each other, so 16x16 pixels become 8x32.
    """
    at = jpeg.index(b"\xff\xc0") + 5
    assert jpeg[at : at + 4] == b"\x00\x10\x00\x10" and jpeg[at + 6] == 0x21
    return b"".join(
        [jpeg[:at], b"\x00\x20\x00\x08", jpeg[at + 4 : at + 6], b"\x12", jpeg[at + 7 :]]
    )


main(Path(sys.argv[1]))
