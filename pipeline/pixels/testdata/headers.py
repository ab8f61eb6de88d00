#!/usr/bin/env python3
"""Make headers/: images with kinds of header that build/testdata lacks, named after their size."""

import io
from pathlib import Path

from PIL import Image

FOLDER = Path(__file__).parent / "headers"


def picture(width: int, height: int) -> Image.Image:
    """A ramp: little to store, and not blank."""
    return Image.linear_gradient("L").resize((width, height)).convert("RGB")


def main() -> None:
    """Write them all."""
    FOLDER.mkdir(exist_ok=True)
    picture(61, 7).save(FOLDER / "lossless-61x7.webp", lossless=True)
    translucent = picture(300, 5)
    translucent.putalpha(Image.new("L", translucent.size, 128))
    translucent.save(FOLDER / "alpha-300x5.webp", quality=10)
    frames = [picture(17, 9), picture(17, 9).rotate(180)]
    frames[0].save(FOLDER / "animated-17x9.webp", save_all=True, append_images=frames[1:])
    picture(19, 1000).save(
        FOLDER / "progressive-19x1000.jpg", progressive=True, comment=b"\xff\xc0 is no frame"
    )
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter: the size is that before
    picture(33, 21).save(FOLDER / "exif-33x21.jpg", exif=exif)
    picture(5, 300).convert("P").save(FOLDER / "interlaced-5x300.gif", interlace=1)
    top_down = io.BytesIO()
    picture(13, 11).save(top_down, "BMP")
    data = bytearray(top_down.getvalue())
    data[22:26] = (-11).to_bytes(4, "little", signed=True)
    (FOLDER / "top-down-13x11.bmp").write_bytes(data)


if __name__ == "__main__":
    main()
