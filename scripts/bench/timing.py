#!/usr/bin/env python3
"""Prints how long the frozen pass and the epochs of a run took, from its timing.jsonl.

An epoch is training and validation; writing checkpoints is shown separately.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path


def main() -> None:
    """Print a few lines for each run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, nargs="+")
    for run in parser.parse_args().run:
        report(run)


def report(run: Path) -> None:
    """Print the times of one run."""
    lines = [json.loads(line) for line in (run / "timing.jsonl").read_text().splitlines()]
    epochs = [line for line in lines if line["phase"] == "epoch"]
    seconds = [line["train"] + line["validate"] for line in epochs]
    one = sum(seconds) / len(seconds)
    checkpoints = sum(line["checkpoint"] for line in epochs)
    print(f"{run}:")
    print(f"  epochs      {' '.join(f'{s:.2f}' for s in seconds)} s, mean {one:.2f} s")
    print(f"  checkpoints {checkpoints:.2f} s in total")
    for line in lines:
        if line["phase"] != "features":
            continue
        computed = line["images"] - line["cached"]
        if not computed:
            print(f"  no frozen pass: all {line['images']} images' features were cached")
            continue
        frozen = line.get("computing") or line["seconds"]  # older runs do not tell them apart
        rate = computed / frozen
        print(f"  frozen pass {frozen:.2f} s for {computed} images, {rate:.1f} images/s")
        print(f"  an epoch on cached features takes {one / frozen:.4f} of this time")


if __name__ == "__main__":
    main()
