#!/usr/bin/env python3
"""Plants copies in sets of photographs and measures which of them tftl and others find.

For each kind of copy there is a data set of its own: at most COPIES of the photographs, and a copy
of each. A copy is found if it is in one group with its original. A group is false if it has images
of different originals that nobody copied. What is found in the untouched photographs is listed: it
wants to be looked at. The others are cleanvision, and ImageHash's pHash and dHash at a distance of
at most 10 bits, which is imagededup's default.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from itertools import combinations
from pathlib import Path
from typing import Any

from measure import ROOT, measured, processor
from PIL import Image, ImageEnhance

SUFFIXES = {".jpg", ".jpeg", ".png"}
PEERS = ROOT / "build/bench/audit-copies-peers"
BITS = 10

Change = Callable[[Image.Image, random.Random], Image.Image]


def main() -> None:
    """Measure each set in turn, or with --peer be one of the others."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, nargs="+", help="folders of photographs, one per class")
    parser.add_argument("--copies", type=int, default=100, help="copied photographs (default: 100)")
    parser.add_argument("--kinds", nargs="*", help="only these; default: all")
    parser.add_argument("--peer", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peer:
        print(json.dumps([peers(data) for data in options.data]))
        return
    print(f"{processor()}.")
    for data in options.data:
        table(data, options.copies, options.kinds or [*SINGLE, *TWO])


def table(data: Path, most: int, kinds: list[str]) -> None:
    """Print what is found in the untouched set, and a row per kind."""
    photographs = sorted(p for p in data.rglob("*") if p.suffix.lower() in SUFFIXES)
    every = -(-len(photographs) // most)
    with tempfile.TemporaryDirectory(prefix="tftl-copies-") as temporary:
        work = Path(temporary)
        names = {f"{i:05}": path for i, path in enumerate(photographs)}
        put(names, work / "untouched")
        copied = {name: path for name, path in names.items() if int(name) % every == 0}
        for kind in kinds:
            put(copied, work / kind)
            plant(work / kind, kind)
        untouched, *planted = found([work / name for name in ("untouched", *kinds)])
    print(f"\n{data.name}: {len(photographs)} photographs, untouched:")
    known: set[frozenset[str]] = set()  # what tftl finds is looked at by a person
    for tool, groups in untouched.items():
        print(f"  {tool}: {len(groups)} groups")
        for group in groups if tool == "tftl" else []:
            known |= {frozenset(pair) for pair in combinations(sorted(group), 2)}
            print("    " + ", ".join(str(names[key].relative_to(data)) for key in sorted(group)))
    header = " | ".join(f"{tool} | false" for tool in untouched)
    print(f"\n| {len(copied)} copies | {header} |\n|---|{'---:|---:|' * len(untouched)}")
    for kind, results in zip(kinds, planted, strict=True):
        cells = []
        for groups in results.values():
            got = sum(any({key, f"{key}-copy"} <= group for group in groups) for key in copied)
            cells.append(f"{got} | {sum(is_false(group, known) for group in groups)}")
        print(f"| {kind} | " + " | ".join(cells) + " |", flush=True)


def put(photographs: dict[str, Path], work: Path) -> None:
    """Copy photographs into a set, under their names."""
    (work / "originals").mkdir(parents=True)
    for name, path in photographs.items():
        shutil.copy(path, work / "originals" / f"{name}{path.suffix.lower()}")


def is_false(group: set[str], known: set[frozenset[str]]) -> bool:
    """Whether a group has images of different originals."""
    originals = sorted({key.removesuffix("-copy") for key in group})
    return any(frozenset(pair) not in known for pair in combinations(originals, 2))


def plant(work: Path, kind: str) -> None:
    """Write a copy of each original of a set."""
    (work / "copies").mkdir()
    for original in sorted((work / "originals").iterdir()):
        draw = random.Random(f"{kind} {original.stem}")
        write(original, work / "copies" / f"{original.stem}-copy", kind, draw)


def write(original: Path, target: Path, kind: str, draw: random.Random) -> None:
    """Write a copy of one photograph."""
    if kind == "same bytes":
        shutil.copy(original, target.with_suffix(original.suffix))
        return
    if kind == "same pixels":
        contents = original.read_bytes()
        if contents.startswith(b"\xff\xd8"):  # a comment does not change the pixels
            target.with_suffix(".jpg").write_bytes(
                contents[:2] + b"\xff\xfe\x00\x06copy" + contents[2:]
            )
        else:
            Image.open(original).save(target.with_suffix(".png"), compress_level=1)
        return
    image = Image.open(original).convert("RGB")
    quality = draw.randint(70, 95)
    changes = kind.split(" and ")
    if changes[-1] == "another":
        changes[-1] = draw.choice([name for name in CHANGES if name != changes[0]])
        draw.shuffle(changes)
    for change in changes:
        if change == "recompressed":
            quality = draw.randint(20, 60)
        else:
            image = CHANGES[change](image, draw)
    image.save(target.with_suffix(".jpg"), quality=quality)


def resized(image: Image.Image, draw: random.Random) -> Image.Image:
    """A third to three times the size."""
    scale = draw.choice([draw.uniform(0.33, 0.8), draw.uniform(1.25, 3)])
    size = tuple(max(round(side * scale), 16) for side in image.size)
    return image.resize(
        (size[0], size[1]), draw.choice([Image.Resampling.BILINEAR, Image.Resampling.LANCZOS])
    )


def cropped(image: Image.Image, draw: random.Random) -> Image.Image:
    """10 to 30 % of the area cut off, anywhere and in any shape."""
    keep = 1 - draw.uniform(0.1, 0.3)
    across = draw.uniform(keep, 1)
    width, height = round(image.width * across), round(image.height * keep / across)
    x, y = draw.randint(0, image.width - width), draw.randint(0, image.height - height)
    return image.crop((x, y, x + width, y + height))


def contrast(image: Image.Image, draw: random.Random) -> Image.Image:
    """Less or more contrast."""
    factor = draw.choice([draw.uniform(0.5, 0.8), draw.uniform(1.25, 1.6)])
    return ImageEnhance.Contrast(image).enhance(factor)


CHANGES: dict[str, Change] = {
    "resized": resized,
    "recompressed": lambda image, _: image,
    "mirrored": lambda image, _: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    "rotated": lambda image, draw: image.transpose(
        draw.choice(
            [Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_180, Image.Transpose.ROTATE_270]
        )
    ),
    "cropped": cropped,
    "brighter": lambda image, draw: ImageEnhance.Brightness(image).enhance(draw.uniform(1.15, 1.5)),
    "darker": lambda image, draw: ImageEnhance.Brightness(image).enhance(draw.uniform(0.5, 0.85)),
    "contrast": contrast,
}
SINGLE = ["same bytes", "same pixels", *CHANGES]
TWO = [f"{name} and another" for name in CHANGES]


def found(sets: list[Path]) -> list[dict[str, list[set[str]]]]:
    """The groups that each tool finds in each set, as names without endings."""
    results: list[dict[str, list[set[str]]]] = []
    for data in sets:
        groups: dict[int, set[str]] = {}
        for finding in measured([ROOT / "bin/copies", "-data", data]).printed["findings"] or []:
            groups.setdefault(finding["Group"], set()).add(Path(finding["Image"]).stem)
        results.append({"tftl": list(groups.values())})
    if PEERS.exists():
        theirs = subprocess.run(
            [sys.executable, __file__, "--peer", *sets],
            env=os.environ | {"PYTHONPATH": str(PEERS)},
            check=True,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ).stdout
        for result, tools in zip(results, json.loads(theirs.splitlines()[-1]), strict=True):
            result |= {tool: [set(group) for group in groups] for tool, groups in tools.items()}
    return results


def peers(data: Path) -> dict[str, list[list[str]]]:
    """What the others find, as lists of names."""
    import imagehash  # noqa: PLC0415  only in PEERS
    import numpy as np  # noqa: PLC0415
    from cleanvision import Imagelab  # noqa: PLC0415

    lab: Any = Imagelab(data_path=str(data))
    lab.find_issues({"near_duplicates": {}, "exact_duplicates": {}}, n_jobs=1, verbose=False)
    sets = [*lab.info["near_duplicates"]["sets"], *lab.info["exact_duplicates"]["sets"]]
    result = {"cleanvision": joined([Path(p).stem for p in one] for one in sets)}
    files = sorted(p for p in data.rglob("*") if p.suffix in SUFFIXES)
    for name, method in (("pHash", imagehash.phash), ("dHash", imagehash.dhash)):
        bits = np.array([method(Image.open(p)).hash.flatten() for p in files], dtype=np.uint8)
        near = []
        for i in range(len(files)):
            distance = (bits[i + 1 :] != bits[i]).sum(axis=1)
            near += [
                [files[i].stem, files[i + 1 + k].stem] for k in np.flatnonzero(distance <= BITS)
            ]
        result[name] = joined(near)
    return result


def joined(sets: Iterable[list[str]]) -> list[list[str]]:
    """Sets that share a name become one."""
    group: dict[str, set[str]] = {}
    for names in sets:
        merged = set(names).union(*(group.get(name, set()) for name in names))
        for name in merged:
            group[name] = merged
    return [sorted(one) for one in {id(one): one for one in group.values()}.values()]


if __name__ == "__main__":
    main()
