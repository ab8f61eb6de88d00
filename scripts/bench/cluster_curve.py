"""Draws how training scales: what was measured as points, what is predicted as lines."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from cluster_model import Model, Network, Size, Workload

TINTS = ("#1b6ca8", "#c2571a", "#2e7d4f", "#7a3e9d")
DASHES = {10: "7 4", 100: ""}  # Gb/s
WIDTH, HEIGHT = 380, 260  # of a plot


@dataclass(frozen=True)
class Axes:
    """A plot's place, and its range of workers and of values."""

    left: int
    top: int
    workers: int
    most: float
    name: str  # of what the workers are

    def at(self, workers: float, value: float) -> str:
        """A point, as x,y."""
        x = self.left + WIDTH * math.log(workers) / math.log(self.workers)
        return f"{x:.1f},{self.top + HEIGHT * (1 - value / self.most):.1f}"

    def frame(self, title: str, unit: str, xs: Sequence[int], ys: Sequence[float]) -> list[str]:
        """Title, grid and labels."""
        found = [text(self.left, self.top - 14, title, "start", bold=True)]
        for y in ys:
            a, b = self.at(1, y), self.at(self.workers, y)
            found.append(line([a, b], "#ddd", 1))
            _, height = a.split(",")
            found.append(text(self.left - 6, float(height) + 4, f"{y:g}{unit}", "end"))
        middle = self.left + WIDTH / 2
        found.append(text(middle, self.top + HEIGHT + 36, self.name, "middle"))
        for x in xs:
            a, b = self.at(x, 0), self.at(x, self.most)
            found.append(line([a, b], "#eee", 1))
            found.append(text(float(a.split(",")[0]), self.top + HEIGHT + 18, str(x), "middle"))
        return found


def draw(model: Model, workloads: list[Workload], clusters: dict[int, Size], wait: float) -> str:
    """An SVG of two plots: this machine, and clusters of some sizes with a latency."""
    here, there = Axes(60, 60, 4, 2.5, "processes"), Axes(510, 60, 1000, 100, "workers")
    body = here.frame(
        "Measured and predicted here: times as fast as one process", "", [1, 2, 4], [0, 1, 2]
    )
    body += there.frame(
        "Predicted for clusters: efficiency", "%", [1, 10, 100, 1000], [0, 25, 50, 75, 100]
    )
    m = model.measured
    for w, tint in zip(workloads, TINTS, strict=False):
        seconds = partial(model.epoch, w, Size(m.images, m.batch), network=Network())
        if not w.frozen:
            body.append(line([here.at(p, seconds(1) / seconds(p)) for p in (1, 2, 3, 4)], tint, 2))
            took = {
                run.processes: run.epochs[w.stage] if w.stage else m.images / run.frozen
                for run in m.runs
            }
            for p, spent in took.items():
                x, y = here.at(p, took[1] / spent).split(",")
                body.append(f'<circle cx="{x}" cy="{y}" r="5" fill="{tint}"/>')
        for gigabits, dashes in DASHES.items():
            efficient = partial(model.efficiency, w, clusters, Network(gigabits, wait))
            points = [there.at(p, 100 * efficient(p)) for p in clusters]
            body.append(line(points, tint, 2, dashes))
    return page(body + legend(workloads))


def legend(workloads: list[Workload]) -> list[str]:
    """What the colours and lines are."""
    found, y = [], HEIGHT + 130
    for i, (w, tint) in enumerate(zip(workloads, TINTS, strict=False)):
        x = 60 + i * 200
        found += [f'<rect x="{x}" y="{y - 10}" width="12" height="12" fill="{tint}"/>']
        found.append(text(x + 18, y, w.name, "start"))
    y += 24
    found.append(f'<circle cx="66" cy="{y - 4}" r="5" fill="#555"/>')
    found.append(text(78, y, "measured", "start"))
    x = 180
    for name, dashes in (("predicted, loopback or 100 Gb/s", ""), ("predicted, 10 Gb/s", "7 4")):
        found.append(line([f"{x},{y - 4}", f"{x + 30},{y - 4}"], "#555", 2, dashes))
        found.append(text(x + 38, y, name, "start"))
        x += 260
    return found


def text(x: float, y: float, words: str, anchor: str, bold: bool = False) -> str:
    """A label."""
    weight = ' font-weight="bold"' if bold else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{weight}>{words}</text>'


def line(points: Sequence[str], tint: str, width: int, dashes: str = "") -> str:
    """A line through points."""
    dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
    joined = " ".join(points)
    return (
        f'<polyline points="{joined}" fill="none" stroke="{tint}" stroke-width="{width}"{dashed}/>'
    )


def page(body: list[str]) -> str:
    """The whole file."""
    size = f"{WIDTH + 550} {HEIGHT + 174}"
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size}" role="img"'
        ' font-family="sans-serif" font-size="13" fill="#222">'
    )
    title = "<title>How training scales: measured points and predicted lines</title>"
    background = '<rect width="100%" height="100%" fill="#fff"/>'
    return "\n".join([head, title, background, *body, "</svg>", ""])
