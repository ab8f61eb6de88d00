#!/usr/bin/env python3
"""Works for a long time in one process at a time, and watches what the process holds.

Memory, threads and open files are read from /proc at each tenth of the work. They are flat if the
most of the last three readings is not above the most of the first three by more than the
tolerance. The exit code is 1 if one of them grows.
"""

from __future__ import annotations

import argparse
import itertools
import json
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import astuple, dataclass
from pathlib import Path

from suite import PROGRAM, ROOT, TESTDATA, environment, say

_PHOTOS, _MODEL = TESTDATA / "photos", TESTDATA / "tiny"


@dataclass(frozen=True)
class Held:
    """What a process holds."""

    megabytes: float  # resident
    threads: int
    files: int

    @classmethod
    def by(cls, pid: int) -> Held:
        """Ask the kernel."""
        process = Path(f"/proc/{pid}")
        status = dict(re.findall(r"(\w+):\s*(\d+)", (process / "status").read_text()))
        files = len(list((process / "fd").iterdir()))
        return cls(int(status["VmRSS"]) / 1000, int(status["Threads"]), files)


# The C library keeps some memory of each thread that once needed much, and Go starts a thread when
# all others wait in system calls.
_TOLERANCE = Held(megabytes=24, threads=6, files=2)


def grown(readings: list[Held]) -> bool:
    """Whether the last readings are above the first."""
    columns = [*zip(*map(astuple, readings), strict=True)]
    allowed = zip(columns, astuple(_TOLERANCE), strict=True)
    return any(max(column[-3:]) > max(column[:3]) + more for column, more in allowed)


def main() -> None:
    """Do each kind of work and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=100_000, help="steps of the head")
    parser.add_argument("--evaluations", type=int, help="default: a hundredth of the steps")
    parser.add_argument("--images", type=int, help="to predict; default: as many as steps")
    options = parser.parse_args()
    works = {
        f"`fit`, {options.steps} steps": (fit, options.steps),
        f"{(n := options.evaluations or options.steps // 100)} evaluations": (evaluate, n),
        f"`predict -`, {(n := options.images or options.steps)} images": (predict, n),
    }
    print("| one process | MB | threads | open files | minutes | |\n|---|---|---|---|---|---|")
    flat = True
    with tempfile.TemporaryDirectory(prefix="tftl-soak-") as work:
        for name, (do, amount) in works.items():
            begun = time.monotonic()
            readings = list(do(Path(work), amount))
            minutes = (time.monotonic() - begun) / 60
            rising = grown(readings)
            flat = flat and not rising
            cells = [between(column) for column in zip(*map(astuple, readings), strict=True)]
            cells += [f"{minutes:.1f}", "grows" if rising else "flat"]
            print(f"| {name} | {' | '.join(cells)} |", flush=True)
            if rising:
                say(f"GROWS: {name}: {readings}")
    sys.exit(not flat)


def between(column: tuple[float, ...]) -> str:
    """The most of the first and of the last readings."""
    return f"{max(column[:3]):.0f} to {max(column[-3:]):.0f}"


def watch(
    process: subprocess.Popen[str], done: Callable[[], int], amount: int, pause: float = 0
) -> Iterator[Held]:
    """Read what the process holds at each tenth of the work; done says how much is done."""
    for tenth in range(1, 11):
        while done() < amount * tenth // 11:
            if process.poll() is not None:
                raise SystemExit(f"ended early: {process.args!r}")
            time.sleep(pause)
        try:
            yield Held.by(process.pid)
        except (KeyError, FileNotFoundError):  # little work may be done before its end is read
            return


def begin(
    work: Path, *command: object, stdin: int | None = None, stdout: int | None = None
) -> subprocess.Popen[str]:
    """Start a program of ours."""
    words = [str(word) for word in command]
    return subprocess.Popen(words, env=environment(work), text=True, stdin=stdin, stdout=stdout)


def fit(work: Path, steps: int) -> Iterator[Held]:
    """Train a head, one image at a time, on cached features. It leaves a run for the others."""
    run, per_epoch = work / "run", 53
    epochs = -(-steps // per_epoch)
    options = ["--epochs", epochs, "--patience", 0, "--batch-size", 1, "--dropout", "0.2"]
    options += ["--output", run, "--quiet"]
    command = [PROGRAM, "fit", "--data", _PHOTOS, "--model", _MODEL, *options]
    process = begin(work, *command, stdout=subprocess.DEVNULL)

    def done() -> int:
        try:
            with open(run / "history.jsonl", "rb") as file:
                file.seek(max(0, file.seek(0, 2) - 2000))
                return int(json.loads(file.read().splitlines()[-1])["step"])
        except (OSError, IndexError, ValueError):  # not begun, or half a line
            return 0

    yield from watch(process, done, steps, pause=0.1)
    ended(process)


def evaluate(work: Path, times: int) -> Iterator[Held]:
    """Evaluate the run again and again, in a program of its own."""
    program = ROOT / "bin" / "evaluations"
    command = [program, "-run", work / "run", "-cache", work / "cache/tftl", "-times", times]
    process = begin(work, *command, stdout=subprocess.PIPE)
    assert process.stdout
    lines = process.stdout
    yield from watch(process, count(lambda: bool(lines.readline())), times)
    lines.read()
    ended(process)


def predict(work: Path, images: int) -> Iterator[Held]:
    """Predict images whose paths come from standard input."""
    command = [PROGRAM, "predict", "--model", work / "run", "--json", "--quiet", "-"]
    process = begin(work, *command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin and process.stdout
    names, answers = process.stdin, process.stdout
    paths = itertools.cycle(sorted(_PHOTOS.rglob("*.jpg")))

    def feed() -> None:
        names.writelines(f"{path}\n" for path in itertools.islice(paths, images))
        names.close()

    threading.Thread(target=feed, daemon=True).start()
    yield from watch(process, count(lambda: bool(answers.readline())), images)
    answers.read()
    ended(process)


def count(next_one: Callable[[], bool]) -> Callable[[], int]:
    """A function that waits for one more and says how many there were."""
    seen = 0

    def done() -> int:
        nonlocal seen
        seen += next_one()
        return seen

    return done


def ended(process: subprocess.Popen[str]) -> None:
    """Wait for a good end."""
    if process.wait():
        raise SystemExit(f"exit status {process.returncode}: {process.args!r}")


if __name__ == "__main__":
    main()
