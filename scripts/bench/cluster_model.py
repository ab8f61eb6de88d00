"""A model of how training scales over the processes of a cluster, fed by measured figures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

BYTES = 4  # of a float32


@dataclass(frozen=True)
class Step:
    """How long a step took in which each process had some examples."""

    stage: str
    processes: int
    floats: int  # that the processes sum
    examples: int  # of each process
    seconds: float


@dataclass(frozen=True)
class Run:
    """What training took with a number of processes of one thread."""

    processes: int
    frozen: float  # images/s of all processes together
    evaluation: float  # seconds of evaluating both parts in shards, and of merge
    epochs: dict[str, float]  # seconds of training by stage


@dataclass(frozen=True)
class Measured:
    """What was measured on one machine: the fastest of several times."""

    machine: str
    precision: str
    cores: int
    images: int  # of training
    batch: int
    steps: list[Step]  # by one process, with several numbers of examples
    sums: list[Step]  # with one example, several widths of the head, and numbers of processes
    runs: list[Run]


@dataclass(frozen=True)
class Network:
    """What lies between processes. The defaults are loopback: they share a machine."""

    gigabits: float = math.inf
    latency: float = 0.0


@dataclass(frozen=True)
class Workload:
    """What is trained in an epoch. Without a stage, only the frozen pass is made."""

    name: str
    stage: str = ""
    frozen: bool = False  # every image passes the frozen part in every epoch


@dataclass(frozen=True)
class Size:
    """How much is trained."""

    images: int
    batch: int  # of all processes together


class Model:
    """Predicts how long epochs take."""

    def __init__(self, measured: Measured) -> None:
        """Fit the costs of a step and of a sum to what was measured."""
        self.measured = measured
        self.rate = next(run.frozen for run in measured.runs if run.processes == 1)
        self._steps = {
            stage: _fit(
                [(1, s.examples) for s in measured.steps if s.stage == stage],
                [s.seconds for s in measured.steps if s.stage == stage],
            )
            for stage in {step.stage for step in measured.steps}
        }
        # Two processes have a core each, so theirs is the price without waiting for cores.
        pairs = [(size, seconds) for size, p, seconds in sums(measured) if p == 2]
        self.message, self.byte = _fit(
            [(2, size * BYTES) for size, _ in pairs], [seconds for _, seconds in pairs]
        )

    def sum(self, floats: int, processes: int, network: Network) -> float:
        """Seconds of a ring all-reduce: software as measured on loopback, and the wire."""
        hops = 2 * (processes - 1)
        # Copying takes a core, sending a message mostly waits.
        byte = self.byte * self._waiting(processes, network) + 8 / (network.gigabits * 1e9)
        return hops * (self.message + network.latency) + hops / processes * floats * BYTES * byte

    def step(self, stage: str, batch: int, owned: np.ndarray, network: Network) -> float:
        """Seconds of a step, which ends when the process with the largest share is done."""
        processes = len(owned)
        fixed, each = self._steps[stage]
        largest = fixed + each * largest_share(batch, owned)
        mean = fixed + each * batch / processes
        slowest = max(largest, mean * self._waiting(processes, network))
        return slowest + self.sum(self.floats(stage), processes, network)

    def epoch(self, w: Workload, size: Size, processes: int, network: Network) -> float:
        """Seconds of an epoch, or of the frozen pass."""
        waiting = self._waiting(processes, network)
        owned = ownership(size, processes)
        if not w.stage:
            return size.images * max(float(owned.max()), waiting / processes) / self.rate
        seconds = self.step(w.stage, size.batch, owned, network)
        if w.frozen:
            mean = size.batch / processes * waiting
            seconds += max(largest_share(size.batch, owned), mean) / self.rate
        return math.ceil(size.images / size.batch) * seconds

    def efficiency(self, w: Workload, sizes: dict[int, Size], n: Network, processes: int) -> float:
        """How fast processes are as a part of what as many single ones would be."""
        alone = self.epoch(w, sizes[1], 1, n)
        return alone / processes / self.epoch(w, sizes[processes], processes, n)

    def floats(self, stage: str) -> int:
        """How many numbers the processes sum in a step."""
        return next(step.floats for step in self.measured.steps if step.stage == stage)

    def _waiting(self, processes: int, network: Network) -> float:
        """How many processes share a core, if they are all on the machine that was measured."""
        return max(1.0, processes / self.measured.cores) if network == Network() else 1.0


def sums(measured: Measured) -> list[tuple[int, int, float]]:
    """What the sum adds to a step: floats, processes, seconds."""
    alone = {step.floats: step.seconds for step in measured.sums if step.processes == 1}
    return [
        (step.floats, step.processes, max(step.seconds - alone[step.floats], 1e-6))
        for step in measured.sums
        if step.processes > 1
    ]


def ownership(size: Size, processes: int) -> np.ndarray:
    """Which part of the images each process owns: blocks as large as a batch, dealt in turn."""
    blocks = math.ceil(size.images / size.batch)
    each = blocks // processes + (np.arange(processes) < blocks % processes)
    return each / blocks


def largest_share(batch: int, owned: np.ndarray) -> float:
    """The expected largest share of a batch: the largest of a multinomial."""
    if len(owned) == 1:
        return float(batch)
    shares = np.random.default_rng(0).multinomial(batch, owned, size=400)
    return float(shares.max(axis=1).mean())


def _fit(rows: Sequence[tuple[float, float]], seconds: Sequence[float]) -> tuple[float, float]:
    """Two costs, neither below 0, with the least relative error."""
    weight = 1 / np.array(seconds)
    a = np.array(rows, dtype=float) * weight[:, None]
    best: tuple[float, tuple[float, float]] = (math.inf, (0.0, 0.0))
    for columns in ([0, 1], [0], [1]):
        found, *_ = np.linalg.lstsq(a[:, columns], np.ones(len(a)), rcond=None)
        both = np.zeros(2)
        both[columns] = found
        error = float(((a @ both - 1) ** 2).sum())
        if (both >= 0).all() and error < best[0]:
            best = error, (float(both[0]), float(both[1]))
    return best[1]
