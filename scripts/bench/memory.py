#!/usr/bin/env python3
"""Compares the resident memory of `tftl fit` after some steps and after many more.

The steps run on cached features, with validation and checkpoints; memory is read from /proc.
"""

from __future__ import annotations

import argparse
import json
import re
import signal
import subprocess
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def main() -> None:
    """Train for a long time and measure twice."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--first", type=int, default=2000, help="steps (default: 2000)")
    parser.add_argument("--last", type=int, default=20000, help="steps (default: 20000)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tftl-memory-") as work:
        first, last = watch(options, Path(work))
    for steps, resident in ((options.first, first), (options.last, last)):
        print(f"resident memory after {steps:5} steps: {resident:6.0f} MB")
    print(f"ratio {last / first:.3f}")


def watch(options: argparse.Namespace, work: Path) -> list[float]:
    """Train, and return the resident megabytes after each of the two numbers of steps."""
    command = [ROOT / "bin/tftl", "fit", "--data", options.data, "--model", options.model]
    command += ["--output", work / "run", "--cache-dir", work / "cache", "--quiet"]
    command += ["--epochs", str(options.last), "--patience", "0", "--lr", "1e-4"]
    program = subprocess.Popen(
        list(map(str, command)), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    try:
        seen = []
        for steps in (options.first, options.last):
            while steps_of(work / "run") < steps:
                if program.poll() is not None:
                    raise SystemExit(program.communicate()[1])
                time.sleep(0.01)
            seen.append(resident(program.pid))
        return seen
    finally:
        program.send_signal(signal.SIGINT)
        program.wait()


def steps_of(run: Path) -> int:
    """The number of steps at the end of the last epoch."""
    try:
        lines = (run / "history.jsonl").read_text().splitlines()
        return json.loads(lines[-1])["step"] if lines else 0
    except (FileNotFoundError, json.JSONDecodeError):  # not written yet, or half a line
        return 0


def resident(pid: int) -> float:
    """The resident megabytes of a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.findall(r"VmRSS:\s*(\d+)", status)[0]) / 1000


if __name__ == "__main__":
    main()
