#!/usr/bin/env python3
"""Runs every fuzzer of the Go code for some time, and prints a table.

Inputs that reach new code stay in Go's build cache, so that the next call goes on from there. An
input that fails is written to testdata/fuzz beside the fuzzer, where `go test` tries it from then
on. The exit code is then 1.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys

from suite import ROOT, Row, say, table


def main() -> None:
    """Run them one after the other."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--time", default="30s", help="for each fuzzer, as Go writes durations")
    parser.add_argument("--only", default="", help="fuzzers that this pattern finds")
    options = parser.parse_args()
    rows = []
    for folder, name in fuzzers():
        if re.search(options.only, f"{folder} {name}"):
            row = Row(f"`{name}` in {folder}", f"any input, for {options.time}")
            fuzz(row, folder, name, options.time)
            say(table([row]).splitlines()[-1])
            rows.append(row)
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
    if done.returncode:
        row.lost = 1
        say(done.stdout[-4000:])


if __name__ == "__main__":
    main()
