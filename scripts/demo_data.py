#!/usr/bin/env python3
"""Make the demo's photographs, one folder per class, from Debian's tuxpaint-stamps-default.

Each stamp is a cut-out photograph of one object. It is put on a white background and saved as a
JPEG of 256x256 pixels. The set `animals` has the classes bird and mammal, `plants` has four. Both
are small and tidy: metrics on them say little about cluttered photographs.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from tftl_export import downloads

PACKAGE = "tuxpaint-stamps-default"
STAMPS = "usr/share/tuxpaint/stamps"
SIZE = 256
FILL = 0.92  # the object's longer side, as a fraction of the frame
SOURCES = "SOURCES.txt"
ARROW = " <- "  # between a photograph and its stamp in SOURCES.txt

# The package that the counts below are from. Other releases have other stamps.
TRIED_VERSION = "2022.06.04-1"
TRIED_SHA256 = "6db6c1bfc870a47f1499d6203b083522eacb57c5f9c87d468f2e92eb6d9d5f34"


@dataclass(frozen=True)
class Class:
    """A class: where its stamps are, and how many there were in the release that was tried."""

    patterns: tuple[str, ...]
    tried: int


SETS = {
    "animals": {
        "bird": Class(("animals/birds/**/*.png",), 35),
        "mammal": Class(("animals/mammals/**/*.png",), 62),
    },
    "plants": {
        "flower": Class(("plants/flowers/**/*.png",), 24),
        "fruit": Class(("food/fruit/**/*.png",), 25),
        # With shrubs, herbs and other whole plants, since there are too few trees to split.
        "tree": Class(("plants/trees/**/*.png", "plants/*.png"), 10),
        "vegetable": Class(("food/vegetables/**/*.png",), 18),
    },
}
LEFT_OUT_FOLDERS = {"cartoon", "toys", "plastic"}  # not photographs of the real thing
LEFT_OUT_ENDINGS = ("_mirror.png", "_flip.png")  # copies of another stamp
LEFT_OUT = {
    "echidna.png",  # a drawing
    "hedgehog.png",  # a drawing
    "apple_green.png",  # apple_red.png, recoloured
    "rambutan.png",  # a fruit among the trees
}


class DemoError(Exception):
    """The set cannot be made: one line that says what to do."""


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    parser = argparse.ArgumentParser(description="Make the demo's photographs.")
    parser.add_argument(
        "-o", "--output", required=True, metavar="DIR", type=Path, help="write to DIR"
    )
    parser.add_argument("--set", choices=sorted(SETS), default="animals", help="default: animals")
    options = parser.parse_args(arguments)
    try:
        counts = build(options.output, options.set)
    except (DemoError, downloads.DownloadError, OSError) as error:
        print(f"demo_data: {error}", file=sys.stderr)
        return 1
    print(f"{options.output}: " + ", ".join(f"{n} {name}" for name, n in counts.items()))
    return 0


def build(output: Path, name: str) -> dict[str, int]:
    """Make the named set in a folder, all or nothing; returns the photographs per class.

    A folder that has the set already is not changed.
    """
    if output.exists():
        if counts := _built(output, name):
            return counts
        if not output.is_dir() or any(output.iterdir()):
            raise DemoError(
                f"{output}: exists but does not have all of the set {name}; remove it first"
            )
    package = downloads.deb(PACKAGE)
    digest, version = downloads.sha256(package), downloads.deb_version(package)
    if digest != TRIED_SHA256:
        print(
            f"demo_data: warning: {PACKAGE} {version} is not the version tried, "
            f"{TRIED_VERSION}; photographs may differ",
            file=sys.stderr,
        )
    output.parent.mkdir(parents=True, exist_ok=True)
    with downloads.scratch() as unpacked, _beside(output) as folder:
        downloads.unpack_deb(package, Path(unpacked))
        stamps = Path(unpacked, STAMPS)
        found = {label: find(stamps, kind) for label, kind in SETS[name].items()}
        whole = Path(folder, name)  # so that its permissions follow the umask
        sources = [_title(name), "", *_licence(version, digest), ""]
        for label, photographs in found.items():
            (whole / label).mkdir(parents=True)
            for file, stamp in photographs.items():
                photograph(stamp).save(whole / label / file, quality=92)
                sources.append(f"{label}/{file}{ARROW}{stamp.relative_to(stamps)}")
        (whole / SOURCES).write_text("\n".join(sources) + "\n")
        os.replace(whole, output)
    return {label: len(photographs) for label, photographs in found.items()}


def find(stamps: Path, kind: Class) -> dict[str, Path]:
    """The stamps of a class, by the names of the photographs to make from them."""
    found: dict[str, Path] = {}
    for stamp in sorted(path for pattern in kind.patterns for path in stamps.glob(pattern)):
        if stamp.name in LEFT_OUT or stamp.name.endswith(LEFT_OUT_ENDINGS):
            continue
        if not LEFT_OUT_FOLDERS.isdisjoint(stamp.relative_to(stamps).parts):
            continue
        file = f"{stamp.stem}.jpg"
        found[f"{stamp.parent.name}-{file}" if file in found else file] = stamp
    if len(found) < 0.75 * kind.tried:
        raise DemoError(
            f"{PACKAGE}: {len(found)} photographs in {' '.join(kind.patterns)}, expected "
            f"about {kind.tried}; this release does not work, use a folder of your own"
        )
    return found


def photograph(stamp: Path) -> Image.Image:
    """The stamp's object, scaled to the frame, on white."""
    with Image.open(stamp) as opened:
        image = opened.convert("RGBA")
    box = image.getchannel("A").getbbox()
    if box is None:
        raise DemoError(f"{stamp}: the picture is empty")
    image = image.crop(box)
    scale = FILL * SIZE / max(image.size)
    width, height = (max(1, round(side * scale)) for side in image.size)
    image = image.resize((width, height), Image.Resampling.LANCZOS)
    frame = Image.new("RGBA", (SIZE, SIZE), "white")
    frame.alpha_composite(image, ((SIZE - width) // 2, (SIZE - height) // 2))
    return frame.convert("RGB")


def _built(output: Path, name: str) -> dict[str, int]:
    """The photographs per class in a folder that has all of the set, else nothing."""
    try:
        title, *lines = (output / SOURCES).read_text().splitlines()
    except (OSError, ValueError):
        return {}
    files = [line.split(ARROW)[0] for line in lines if ARROW in line]
    whole = bool(files) and all((output / file).is_file() for file in files)
    if title != _title(name) or not whole:
        return {}
    labels = [file.split("/")[0] for file in files]
    return {label: labels.count(label) for label in SETS[name]}


def _beside(output: Path) -> tempfile.TemporaryDirectory[str]:
    """A temporary folder on the output's disk, so that renaming a folder out is atomic."""
    return tempfile.TemporaryDirectory(dir=output.parent, prefix=".tmp-")


def _title(name: str) -> str:
    return f"The demo set {name}, made by scripts/demo_data.py"


def _licence(version: str, digest: str) -> list[str]:
    return [
        f"From the Debian package {PACKAGE} {version}",
        f"(sha256 {digest}),",
        "the rubber stamps of Tux Paint, copyright 2002-2022 by various contributors, cropped,",
        "scaled and put on white. The package is under the GNU General Public License, version 2.",
        "Authors, and free licences of single pictures (public domain, GFDL, Creative Commons),",
        f"are in its usr/share/doc/{PACKAGE}/changelog.gz, where contributors gave them.",
    ]


if __name__ == "__main__":
    sys.exit(main())
