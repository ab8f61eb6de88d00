#!/usr/bin/env python3
"""Disturbs what writes files in every way that it can, and prints what was lost.

A trial runs a command with one fault and then repeats it, with --resume if a run had begun. Work is
lost if

- the command ends with a code that such a fault should not have, does not say why in one line, or
  hangs,
- it ends well, but its files or answers differ from those of an undisturbed command,
- it leaves unfinished files although it was not killed, or
- the repeated command fails, its history, weights, metrics, predictions or answers are not bit for
  bit those of an undisturbed one, or tftl inspect --verify finds something in its run.

Failing system calls need gcc and Linux 5.19 or later; file systems need root or user namespaces, a
limit of memory needs the right to make control groups. What cannot be tried here is said in one
line and has no rows. What was lost is shown on stderr, and the exit code is then 1.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import machine
from cases import cases
from disturb import Bench, Fault, injections, signals
from suite import ROOT, Row, merged, say, table

_ISOLATED = "FAULTS_ISOLATED"
_MUTATIONS = "TFTL_MUTATIONS"


def main() -> None:
    """Try everything and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--trials", type=int, default=10, help="of each fault of each command")
    parser.add_argument("--mutations", type=int, default=200, help="of a folder; 0: none")
    parser.add_argument("--commands", nargs="+", help="only these, such as fit and predict")
    parser.add_argument("--faults", default="", help="only those that this pattern finds")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    options = parser.parse_args()
    mounts = isolate()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # which cleans up
    say(f"seed {options.seed}")
    random.seed(options.seed)
    rows = []
    with tempfile.TemporaryDirectory(prefix="tftl-faults-") as work, ExitStack() as end:
        for row in disturbed(options, Path(work), possible(Path(work), mounts, end)):
            say(table([row]).splitlines()[-1])
            rows.append(row)
    print(table(merged(rows)))
    sys.exit(any(row.lost for row in rows))


def isolate() -> bool:
    """Start again where mounting file systems concerns nobody else; reports whether that works."""
    if _ISOLATED in os.environ:
        return True
    command = ["unshare", "--mount"]
    if os.geteuid() != 0:
        command += ["--user", "--map-root-user"]
    if shutil.which("unshare") and not subprocess.run([*command, "true"]).returncode:
        os.environ[_ISOLATED] = "yes"
        os.execvp(command[0], [*command, sys.executable, *sys.argv])
    return False


def possible(work: Path, mounts: bool, end: ExitStack) -> list[Fault]:
    """The faults that can be tried here, until the end."""
    faults = signals() + machine.around()
    try:
        faults = injections(work) + faults
    except (OSError, subprocess.CalledProcessError) as reason:
        say(f"skipped, failing system calls: {reason}")
    try:
        faults += end.enter_context(machine.little_memory())
    except OSError as reason:
        say(f"skipped, a limit of memory: {reason}")
    if mounts:
        faults += machine.file_systems()
    else:
        say("skipped, file systems: they need root or user namespaces")
    return faults


def disturbed(options: argparse.Namespace, work: Path, faults: list[Fault]) -> Iterator[Row]:
    """The rows of every command."""
    benches = []
    for case in cases():
        if options.commands and case.name not in options.commands:
            continue
        bench = Bench.of(case, work)
        benches.append(bench)
        for fault in faults:
            if not re.search(options.faults, fault.name):
                continue
            row = Row(f"`{case.name}`", fault.name)
            for trouble in fault.try_(bench, options.trials):
                row.count(trouble)
            yield row
    if re.search(options.faults, "together") and len(benches) > 1:
        yield machine.together(benches, options.trials)
    if re.search(options.faults, "mutated") and options.mutations:
        yield from mutated(options.mutations)


def mutated(count: int) -> Iterator[Row]:
    """Damage files of models and runs at random: Go tests that take their number of trials."""
    for file in sorted(ROOT.rglob("*_test.go")):
        for function in re.split(r"^(?=func )", file.read_text(), flags=re.MULTILINE):
            name = re.match(r"func (Test\w+)", function)
            if not name or f'"{_MUTATIONS}"' not in function:
                continue
            folder = file.parent.relative_to(ROOT)
            row = Row(f"`{name[1]}`", f"mutated files, {folder}", trials=count)
            command = ["go", "test", "-count=1", "-timeout=2h", f"-run=^{name[1]}$", f"./{folder}"]
            env = os.environ | {_MUTATIONS: str(count)}
            done = subprocess.run(command, cwd=ROOT, env=env, text=True, stdout=subprocess.PIPE)
            if done.returncode:
                row.lost = max(1, len(re.findall(r"^ +\w+_test\.go:\d+: ", done.stdout, re.M)))
                say(done.stdout[-9000:])
            yield row


if __name__ == "__main__":
    main()
