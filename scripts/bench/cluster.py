#!/usr/bin/env python3
"""Measures training by one, two and four processes here, and predicts it for clusters.

Prints Markdown tables: what the sum of gradients costs, what the model says of the runs that were
measured, and what it predicts for machines with networks between them. --svg draws the curves.

The processes have one thread each. With fewer than four processors, four processes wait for each
other; the model says by how much. All times are the fastest of several, which other programs on the
machine have disturbed least.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path

from cluster_curve import draw
from cluster_measure import Plan, measure
from cluster_model import Measured, Model, Network, Run, Size, Step, Workload, sums
from measure import ROOT, table

GIGABITS = (10, 25, 100, 400)
WORKERS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1000)
# What Ethernet in a rack takes, one way.
LATENCY = 50e-6
# What is predicted: batches grow with the workers, up to where training suffers.
CLUSTERS = {p: Size(1_000_000, min(32 * p, 4096)) for p in WORKERS}


def main() -> None:
    """Measure, or read what was measured, and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("photographs", type=Path, nargs="?", help="one sub-folder per class")
    parser.add_argument("--model", type=Path, default=ROOT / "savedmodels/vgg16")
    parser.add_argument("--images", type=int, default=512, help="at most (default: 512)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch", type=int, default=32, help="images per step (default: 32)")
    parser.add_argument("--units", type=int, default=256, help="width of the head (default: 256)")
    parser.add_argument("--widths", type=int, nargs="+", default=[1, 4, 40, 256, 1000])
    parser.add_argument("--examples", type=int, nargs="+", default=[1, 4, 8, 16, 32])
    parser.add_argument("--stages", nargs="+", default=["head", "block5"])
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--measured", type=Path, help="read this file instead of measuring")
    parser.add_argument("--save", type=Path, help="write what was measured to this file")
    parser.add_argument("--svg", type=Path, help="draw the curves to this file")
    options = parser.parse_args()
    if options.measured:
        measured = read(options.measured)
    elif options.photographs:
        measured = measure(plan(options))
    else:
        parser.error("want a folder of photographs, or --measured FILE")
    if options.save:
        options.save.write_text(json.dumps(dataclasses.asdict(measured), indent=1) + "\n")
    model = Model(measured)
    about = f"{measured.machine}, {measured.precision}, batches of {measured.batch}"
    print(f"{about}, {measured.images} images. The fastest of several times.\n")
    for part in (speed(measured), price(model), check(model), predictions(model)):
        print(part + "\n")
    print(
        f"Without a network, a message costs {model.message * 1e3:.2f} ms, and 1 GB "
        f"{model.byte * 1e9:.2f} s of software."
    )
    if options.svg:
        options.svg.write_text(draw(model, workloads(measured), CLUSTERS, LATENCY))


def plan(o: argparse.Namespace) -> Plan:
    """What to measure."""
    return Plan(
        o.photographs, o.model, o.images, o.rounds, o.batch, o.units, o.widths, o.examples,
        o.stages, o.processes,
    )  # fmt: skip


def read(path: Path) -> Measured:
    """Read what --save wrote."""
    content = json.loads(path.read_text())
    content["steps"] = [Step(**step) for step in content["steps"]]
    content["sums"] = [Step(**step) for step in content["sums"]]
    content["runs"] = [Run(**run) for run in content["runs"]]
    return Measured(**content)


def workloads(measured: Measured) -> list[Workload]:
    """What is predicted."""
    stages = list(dict.fromkeys(step.stage for step in measured.steps))
    found = [Workload("frozen pass")]
    found += [Workload(f"{stage}, features cached", stage) for stage in stages]
    return [*found, Workload("head, augmented", stages[0], frozen=True)]


def speed(m: Measured) -> str:
    """How much faster several processes are than one."""
    header = ["processes", "frozen pass, images/s", "times", "evaluate, s", "times"]
    alone = next(run for run in m.runs if run.processes == 1)
    return table(header, [
        [
            str(run.processes),
            f"{run.frozen:.1f}",
            f"{run.frozen / alone.frozen:.2f}",
            f"{run.evaluation:.1f}",
            f"{alone.evaluation / run.evaluation:.2f}",
        ]
        for run in sorted(m.runs, key=lambda run: run.processes)
    ])  # fmt: skip


def price(model: Model) -> str:
    """What the sum of gradients adds to a step."""
    header = ["numbers", "bytes", "processes", "measured, ms", "model, ms"]
    rows = []
    for floats, processes, seconds in sorted(sums(model.measured)):
        expected = model.sum(floats, processes, Network())
        row = [f"{floats:,}", f"{floats * 4 / 1e6:.1f} MB", str(processes)]
        rows.append([*row, f"{seconds * 1e3:.1f}", f"{expected * 1e3:.1f}"])
    return table(header, rows)


def check(model: Model) -> str:
    """What the model says of the runs that were measured."""
    m = model.measured
    rows = []
    for w in workloads(m)[:-1]:
        for run in sorted(m.runs, key=lambda run: run.processes):
            seconds = run.epochs[w.stage] if w.stage else m.images / run.frozen
            expected = model.epoch(w, Size(m.images, m.batch), run.processes, Network())
            error = f"{100 * (expected / seconds - 1):+.0f}%"
            row = [w.name, str(run.processes), f"{seconds:.3f}", f"{expected:.3f}", error]
            rows.append(row)
    return table(["an epoch", "processes", "measured, s", "predicted, s", "error"], rows)


def predictions(model: Model) -> str:
    """Time and efficiency for clusters."""
    header = ["an epoch", "workers", *(f"{g} Gb/s" for g in GIGABITS)]
    rows = []
    for w in workloads(model.measured):
        for p, size in CLUSTERS.items():
            cells = []
            for gigabits in GIGABITS:
                n = Network(gigabits, LATENCY)
                part = 100 * model.efficiency(w, CLUSTERS, n, p)
                cells.append(f"{clock(model.epoch(w, size, p, n))}, {part:.0f}%")
            rows.append([w.name, str(p), *cells])
    return table(header, rows)


def clock(seconds: float) -> str:
    """A time that people read."""
    if seconds < 120:
        return f"{seconds:.3g} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


if __name__ == "__main__":
    main()
