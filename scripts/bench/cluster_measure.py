"""Measures what the model of scaling needs, on this machine."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cluster_model import Measured, Run, Step
from measure import ROOT, processor, say

_FROZEN = re.compile(r"frozen pass: (\d+) images in ([\d.]+) s")


@dataclass(frozen=True)
class Plan:
    """What to measure."""

    photographs: Path
    model: Path
    images: int  # at most
    rounds: int
    batch: int
    units: int  # width of the head
    widths: list[int]  # of heads whose gradients are summed
    examples: list[int]  # in the shares of a step
    stages: list[str]
    processes: list[int]


def measure(plan: Plan) -> Measured:
    """Take turns, several rounds, and return the fastest of each: the least disturbed."""
    steps: dict[tuple[str, int, int, int], list[float]] = defaultdict(list)
    runs: dict[int, list[Run]] = defaultdict(list)
    precision = "float32"
    with tempfile.TemporaryDirectory(prefix="tftl-cluster-") as work:
        data, images = parts(plan, Path(work) / "photographs")
        for _ in range(plan.rounds):
            for processes in plan.processes:
                run = Path(work) / "run"
                frozen, epochs = fit(plan, data, run, processes)
                found = Run(processes, frozen, evaluate(plan, data, run, processes), epochs)
                say(str(found))
                runs[processes].append(found)
                for width in plan.widths:
                    for line in together(plan, "head", processes, width, [1]):
                        steps["sum", processes, line["floats"], 1].append(line["seconds"])
            for stage in plan.stages:
                for line in together(plan, stage, 1, plan.units, plan.examples):
                    key = stage, 1, line["floats"], line["examples"]
                    steps[key].append(line["seconds"])
                    precision = line["precision"]
    all_steps = [Step(*key, min(values)) for key, values in steps.items()]
    return Measured(
        machine=processor(),
        precision=precision,
        cores=len(os.sched_getaffinity(0)),
        images=images,
        batch=plan.batch,
        steps=[step for step in all_steps if step.stage != "sum"],
        sums=[step for step in all_steps if step.stage == "sum"],
        runs=[best(of) for of in runs.values()],
    )


def parts(plan: Plan, to: Path) -> tuple[Path, int]:
    """Copy photographs to train/ and val/, as many to each.

    Every process owns as many whole batches of both. Returns the number of images in train/.
    """
    labels = sorted(path for path in plan.photographs.iterdir() if path.is_dir())
    files = {label.name: sorted(label.iterdir()) for label in labels}
    block = plan.batch * max(plan.processes)
    each = min(plan.images // len(files), *(len(of) for of in files.values()))
    part = each * len(files) // 2 // block * block // len(files)
    if not part:
        sys.exit(f"{plan.photographs}: too few images for batches of {plan.batch}")
    for label, of in files.items():
        for name, some in (("train", of[:part]), ("val", of[part : 2 * part])):
            (to / name / label).mkdir(parents=True)
            for file in some:
                shutil.copy(file, to / name / label)
    return to, part * len(files)


def fit(plan: Plan, data: Path, run: Path, processes: int) -> tuple[float, dict[str, float]]:
    """Train with an empty cache. Each process has one thread, and a core if there is one.

    Returns the images/s of the frozen pass, and the seconds of an epoch by stage.
    """
    cache = run.with_name("cache")
    for folder in (run, cache):
        shutil.rmtree(folder, ignore_errors=True)
    words: list[object] = [ROOT / "bin/tftl"]
    if processes > 1:
        words += ["launch", "-n", processes, "--"]
    words += ["fit", "--data", data, "--model", plan.model, "--output", run, "--cache-dir", cache]
    words += ["--threads", 1, "--workers", 1, "-b", plan.batch, "--units", plan.units]
    words += ["--patience", 0, "--quiet=false"]
    for stage in plan.stages:
        words += ["--stage", f"{stage}:epochs=4"]
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{words}: exit status {done.returncode}\n{done.stderr[-4000:]}")
    passes = [(int(n), float(s)) for n, s in _FROZEN.findall(done.stderr) if int(n)]
    first = passes[:processes]  # each process says it once for each stage
    epochs: dict[str, list[float]] = defaultdict(list)
    for line in (run / "timing.jsonl").read_text().splitlines():
        entry = json.loads(line)
        if entry["phase"] == "epoch":
            epochs[entry["stage"]].append(entry["train"])
    rate = sum(n for n, _ in first) / max(0.1, *(s for _, s in first))
    # In the first epoch TensorFlow optimises the graph.
    return rate, {stage: min(times[1:]) for stage, times in epochs.items()}


def evaluate(plan: Plan, data: Path, run: Path, processes: int) -> float:
    """Evaluate a run on all images, in shards and merged. Returns the seconds."""
    words: list[object] = [ROOT / "bin/tftl", "evaluate", "--model", run, "--data", data]
    words += ["--part", "all", "--cache", "off", "--threads", 1, "--workers", 1]
    words += ["-b", plan.batch, "--quiet"]
    start = time.monotonic()
    if processes == 1:
        finish([start_one(words, run.with_name("answer"))])
        return time.monotonic() - start
    shards = [run.with_name(f"shard{i}") for i in range(1, processes + 1)]
    finish([
        start_one([*words, "--shard", f"{i}/{processes}"], shard)
        for i, shard in enumerate(shards, 1)
    ])  # fmt: skip
    merge = [ROOT / "bin/tftl", "merge", "--quiet", "--model", run, *shards]
    finish([start_one(merge, run.with_name("answer"))])
    return time.monotonic() - start


def start_one(words: list[object], output: Path) -> subprocess.Popen[bytes]:
    """Start a program that writes to output."""
    with output.open("wb") as file:
        return subprocess.Popen([str(word) for word in words], stdout=file)


def finish(programs: list[subprocess.Popen[bytes]]) -> None:
    """Wait for programs."""
    for program in programs:
        if code := program.wait():
            sys.exit(f"{program.args!r}: exit status {code}")


def together(
    plan: Plan, stage: str, processes: int, units: int, examples: list[int]
) -> list[dict[str, Any]]:
    """Measure steps; returns the lines that the program prints."""
    words = [ROOT / "bin/together", "-model", plan.model, "-stage", stage, "-units", units]
    words += ["-processes", processes, "-examples", ",".join(map(str, examples))]
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{words}: exit status {done.returncode}\n{done.stderr[-4000:]}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def best(runs: list[Run]) -> Run:
    """The fastest of each part of some runs."""
    return Run(
        runs[0].processes,
        max(run.frozen for run in runs),
        min(run.evaluation for run in runs),
        {stage: min(run.epochs[stage] for run in runs) for stage in runs[0].epochs},
    )
