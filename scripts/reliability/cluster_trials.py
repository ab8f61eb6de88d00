#!/usr/bin/env python3
"""Disturbs a process of a cluster that trains, and looks at how all the others end.

A trial starts three processes of fit, and one of them meets a fault at a random moment: while they
start, in the frozen pass, in a step, between two stages, at the end. Work is lost if

- a process outlives the fault by more than --peer-timeout and two seconds, or --start-timeout if
  the cluster was not together yet,
- a process ends with another code than it should, or its message does not name the task,
- a process listens anywhere but at its own address, or
- all are started again with --continue, and the files of the run are then not bit for bit those of
  an undisturbed one, or tftl inspect --verify finds something in it.

Links need root and network namespaces (ip netns), a limit of memory needs the right to make control
groups, another version of tftl needs Go. What cannot be tried here is said in one line and has no
rows. What was lost is shown on stderr, and the exit code is then 1.
"""

from __future__ import annotations

import argparse
import hashlib
import json
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
from dataclasses import replace
from pathlib import Path

import machine
from cases import MODEL, PHOTOS
from suite import ROOT, say
from tasks import Hosts, network
from trials import (
    DIVERGED,
    INTERRUPTED,
    LOST,
    Alike,
    Bench,
    Different,
    Fault,
    Options,
    Row,
    Strike,
    hang,
    interrupt,
    kill,
    nothing,
    unplug,
)


def main() -> None:
    """Try everything and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--trials", type=int, default=5, help="of each fault of each role")
    parser.add_argument("--faults", default="", help="only those that this pattern finds")
    parser.add_argument("--peer-timeout", type=int, default=4, help="seconds")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # which cleans up
    say(f"seed {options.seed}")
    random.seed(options.seed)
    with tempfile.TemporaryDirectory(prefix="tftl-cluster-") as work, ExitStack() as end:
        faults = [f for f in possible(Path(work), end) if re.search(options.faults, f.name)]
        bench = Bench.of(Path(work), options.peer_timeout)
        rows = []
        for fault in faults:
            row = Row(fault.name)
            for _ in range(options.trials if isinstance(fault, Strike) else 1):
                row.count(*fault.trial(bench))
            say(row.line())
            rows.append(row)
    print(Row.table(rows))
    sys.exit(any(row.lost for row in rows))


def possible(work: Path, end: ExitStack) -> list[Fault]:
    """The faults that can be tried here, until the end."""
    roles = {"the chief": 0, "a worker": 1}
    faults: list[Fault] = []
    for role, task in roles.items():
        faults.append(Strike(f"{role} is killed (SIGKILL)", task, kill))
        faults.append(Strike(f"{role} hangs (SIGSTOP)", task, hang))
        faults.append(Strike(f"{role} is asked to end (SIGTERM)", task, interrupt, INTERRUPTED))
    try:
        hosts = end.enter_context(network(3))
        for role, task in roles.items():
            faults.append(Strike(f"the link of {role} goes down", task, unplug, hosts=hosts))
        faults += alike(end.enter_context(network(2)))
    except (OSError, subprocess.CalledProcessError) as reason:
        say(f"skipped, links: {reason}")
    try:
        shell = end.enter_context(machine.memory_group())
        for role, task in roles.items():
            faults.append(Strike(f"{role} runs out of memory", task, nothing, limit=shell))
    except OSError as reason:
        say(f"skipped, a limit of memory: {reason}")
    for role, task in roles.items():
        again = f"{role} is killed, and each process is started again by itself"
        faults.append(Strike(again, task, kill, alone=True))
    return [
        *faults,
        Strike("a worker is killed, and two processes go on", 1, kill, count=2),
        Different("a worker never comes", "worker 1 did not come", LOST, options=None),
        Different("training diverges", "diverged", DIVERGED, everyone={"lr": "1e30"}),
        *refused(work),
    ]


def alike(hosts: Hosts) -> Iterator[Fault]:
    """What two hosts train as one process does."""
    cases: dict[str, Options] = {
        "the head": {"stage": "head:epochs=3"},
        "the head and block2": {"stage": ("head:epochs=3", "block2:epochs=3,lr=1e-4")},
        "with augmentation": {"stage": "head:epochs=3", "augment": "strong"},
    }
    for what, options in cases.items():
        yield Alike(f"two hosts instead of one process, {what}", hosts, options)


def refused(work: Path) -> Iterator[Fault]:
    """What must not differ between the processes."""
    fewer = work / "fewer"
    shutil.copytree(PHOTOS, fewer)
    next(fewer.rglob("*.jpg")).unlink()
    other = work / "model"
    shutil.copytree(MODEL, other)
    _of_other_weights(other / "assets.extra")
    yield _refused("other images", "images, their classes or their parts", 3, {"data": fewer})
    yield _refused("another model", "weights of the model", 4, {"model": other})
    yield _refused("other options", "options", 2, {"dropout": "0.3"})
    yield _refused("another precision", "precision", 2, {"precision": "bfloat16"})
    isa = {"ONEDNN_MAX_CPU_ISA": "AVX2"}
    yield replace(_refused("another instruction set", "instruction set", 2), env=isa)
    program = work / "other" / "tftl"
    library = Path(os.environ.get("LIBTENSORFLOW") or ROOT / "build" / "libtensorflow")
    flags = f"-r {(library / 'lib').resolve()} -X main.version=other"
    build = ["go", "build", f"-ldflags={flags}", "-o", str(program), "./cmd/tftl"]
    try:
        subprocess.run(build, cwd=ROOT, check=True)
    except (OSError, subprocess.CalledProcessError) as reason:
        say(f"skipped, another version of tftl: {reason}")
        return
    yield replace(_refused("another version of tftl", "tftl other instead of", 2), program=program)


def _of_other_weights(extra: Path) -> None:
    """Make a model that says so."""
    description, sums = extra / "tftl.json", extra / "SHA256SUMS"
    was = description.read_bytes()
    digest = json.loads(was)["weights"]["network_sha256"].encode()
    now = was.replace(digest, digest[::-1])
    description.write_bytes(now)
    old, new = (hashlib.sha256(content).hexdigest() for content in (was, now))
    sums.write_text(sums.read_text().replace(old, new))


def _refused(what: str, text: str, code: int, options: Options | None = None) -> Different:
    said = f"worker 1 differs from worker 0: {text}"
    return Different(f"a worker has {what}", said, code, options or {})


if __name__ == "__main__":
    main()
