"""Makes the data set of docs/audit.png in a folder: pieces of two photographs, with mistakes.

The photographs are those that scikit-learn has. Of each class some pieces have the label of the
other one, one is copied in another form, and one is blurred.
"""

from __future__ import annotations

import sys
from pathlib import Path

import sklearn
from PIL import Image, ImageFilter, ImageOps

_SIDE = 84
_CLASSES = {"flower": "flower.jpg", "temple": "china.jpg"}


def main(folder: Path) -> None:
    """Write the pictures."""
    images = Path(sklearn.__file__).parent / "datasets" / "images"
    names = list(_CLASSES)
    for name in names:
        (folder / name).mkdir(parents=True, exist_ok=True)
    for name, other in zip(names, reversed(names), strict=True):
        photograph = Image.open(images / _CLASSES[name])
        pieces = [
            photograph.crop((x, y, x + _SIDE, y + _SIDE))
            for y in range(0, photograph.height - _SIDE, _SIDE)
            for x in range(0, photograph.width - _SIDE, _SIDE)
        ]
        for i, piece in enumerate(pieces):
            label = other if i % 12 == 7 else name
            piece.save(folder / label / f"{name}-{i:02}.jpg", quality=92)
        copy = ImageOps.mirror(pieces[25]).resize((96, 96))
        copy.save(folder / name / f"{name}-copy.jpg", quality=70)
        pieces[31].filter(ImageFilter.GaussianBlur(5)).save(folder / name / f"{name}-soft.jpg")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
