#!/usr/bin/env python3
"""Runs every fuzzer of the Go code for some time, and prints a table.

Inputs that reach new code stay in Go's build cache, so that the next call goes on from there; with
--keep a few are copied to testdata/fuzz beside the fuzzer, where `go test` tries them each time. An
input that fails is always written there, and the exit code is then 1.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
from pathlib import Path

from suite import ROOT, Row, say, table


def main() -> None:
    """Run them one after the other."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--time", default="30s", help="for each fuzzer, as Go writes durations")
    parser.add_argument("--only", default="", help="fuzzers that this pattern finds")
    parser.add_argument(
        "--keep", type=int, default=0, metavar="N", help="keep the N smallest inputs in testdata"
    )
    options = parser.parse_args()
    rows = []
    for folder, name in fuzzers():
        if re.search(options.only, f"{folder} {name}"):
            row = Row(f"`{name}` in {folder}", f"any input, for {options.time}")
            fuzz(row, folder, name, options.time)
            say(table([row]).splitlines()[-1])
            rows.append(row)
            keep(folder, name, options.keep)
    print(table(rows))
    sys.exit(any(row.lost for row in rows))


def fuzzers() -> list[tuple[str, str]]:
    """The folder and name of each fuzzer."""
    found = []
    for file in sorted(ROOT.rglob("*_test.go")):
        folder = file.parent.relative_to(ROOT)
        if not folder.parts or folder.parts[0] != "build":
            names = re.findall(r"^func (Fuzz\w+)\(", file.read_text(), re.MULTILINE)
            found += [(str(folder), name) for name in names]
    return found


def fuzz(row: Row, folder: str, name: str, time: str) -> None:
    """Run one, and count the inputs that it tried."""
    command = ["go", "test", f"./{folder}", "-run", "^$", "-fuzz", f"^{name}$", "-fuzztime", time]
    command += ["-fuzzminimizetime", "1x"]
    done = subprocess.run(command, cwd=ROOT, text=True, stdout=subprocess.PIPE)
    tried = re.findall(r"execs: (\d+)", done.stdout)
    row.trials = int(tried[-1]) if tried else 0
    # A fuzzer whose time is over in the middle of an input may call that a failure.
    late = re.search(r"^ +context deadline exceeded$", done.stdout, re.MULTILINE)
    if done.returncode and not late:
        row.lost = 1
        say(done.stdout[-4000:])


def keep(folder: str, name: str, most: int) -> None:
    """Copy the smallest inputs that reached new code to where `go test` finds them."""
    cache = subprocess.run(["go", "env", "GOCACHE"], text=True, check=True, stdout=subprocess.PIPE)
    found = (Path(cache.stdout.strip()) / "fuzz" / "tftl" / folder / name).glob("*")
    to = ROOT / folder / "testdata" / "fuzz" / name
    for path in sorted(found, key=lambda path: (path.stat().st_size, path.name))[:most]:
        to.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, to)


if __name__ == "__main__":
    main()
