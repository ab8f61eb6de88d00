"""Trials of a cluster: a fault, how every process ends, and whether the run goes on."""

from __future__ import annotations

import json
import math
import random
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from cases import MODEL, PHOTOS, results, unsound
from suite import KILLED, PROGRAM, say
from tasks import Hosts, Task, folders, loopback, stop, wait

LOST, INTERRUPTED, DIVERGED = 138, 130, 6
_SIZE = 3  # processes
_START = 30  # seconds of --start-timeout
_SLACK = 2  # seconds for a machine that does other things too
_ABSENT = 8  # seconds of it if a process never comes
_ATTEMPTS = 20  # to start a process again

# Two stages, so that both kinds of checkpoints and of features are met.
_FIT = {
    "data": PHOTOS,
    "model": MODEL,
    "stage": ("head:epochs=8", "block2:epochs=5,lr=1e-4"),
    "patience": 0,
    "lr": "2e-4",
    "dropout": "0.2",
    "batch-size": 8,
    "precision": "float32",
    "checkpoint-every": "0s",
    "start-timeout": f"{_START}s",
}

Options = Mapping[str, object]


def _words(options: Options) -> Iterator[object]:
    for name, value in options.items():
        for one in value if isinstance(value, tuple) else (value,):
            yield f"--{name}"
            if one is not True:
                yield one


@dataclass(frozen=True)
class Bench:
    """Where clusters are tried, and what their undisturbed work is."""

    work: Path
    timeout: int  # --peer-timeout of what is disturbed
    want: dict[str, str] = field(default_factory=dict)
    history: list[float] = field(default_factory=list)
    seconds: float = 0  # of the undisturbed cluster

    @classmethod
    def of(cls, work: Path, timeout: int) -> Bench:
        """Do the work undisturbed."""
        here = cls(work, timeout)
        tasks = here.tasks(loopback(_SIZE), {})
        for task in tasks:
            task.start({})
        assert wait(tasks) and not any(task.end().code for task in tasks), [t.end() for t in tasks]
        seconds = max(task.ended - task.begun for task in tasks)
        say(f"{_SIZE} processes take {seconds:.1f} s undisturbed")
        return cls(work, timeout, results(here.folder), here.losses(), seconds)

    @property
    def folder(self) -> Path:
        """Of the chief."""
        return self.work / "chief"

    def tasks(self, hosts: Hosts, options: Options, fresh: bool = True) -> list[Task]:
        """The processes of a cluster, which do not run yet."""
        homes = folders(self.folder, len(hosts.addresses), fresh)
        cluster = ",".join(hosts.addresses)
        return [
            Task(
                number=i,
                address=address,
                command=[
                    *hosts.wrap(i),
                    *(PROGRAM, "fit", "--cluster", cluster, "--task", i),
                    *("--output", folder / "run"),
                    *_words({**_FIT, **options}),
                ],
                folder=folder,
            )
            for i, (address, folder) in enumerate(zip(hosts.addresses, homes, strict=True))
        ]

    def differs(self) -> str | None:
        """Say what is not as in the undisturbed work."""
        got = results(self.folder)
        names = [name for name in self.want.keys() | got if self.want.get(name) != got.get(name)]
        return f"differ: {', '.join(sorted(names)[:9])}" if names else unsound(self.folder)

    def losses(self) -> list[float]:
        """The losses of all epochs."""
        lines = (self.folder / "run" / "history.jsonl").read_text().splitlines()
        epochs = [json.loads(line) for line in lines]
        return [epoch[name] for epoch in epochs for name in ("loss", "val_loss")]

    def rounds(self) -> str | None:
        """Say whether the losses differ from the undisturbed ones by more than rounding."""
        got = self.losses()
        if not near(got, self.history):
            return f"losses {got} instead of {self.history}"
        return unsound(self.folder)


def near(got: Sequence[float], want: Sequence[float], tolerance: float = 1e-4) -> bool:
    """Whether numbers are the same within rounding."""
    same = partial(math.isclose, rel_tol=tolerance)
    return len(got) == len(want) and all(map(same, got, want))


@dataclass
class Row:
    """How often a fault was tried, how often work was lost, and the slowest end."""

    fault: str
    trials: int = 0
    lost: int = 0
    slowest: float = -1

    def count(self, trouble: str | None, seconds: float) -> None:
        """Count a trial, and show what went wrong."""
        self.trials += 1
        self.slowest = max(self.slowest, seconds)
        if trouble:
            self.lost += 1
            say(f"LOST: {self.fault}: {trouble}\n")

    def line(self) -> str:
        """The row in Markdown."""
        slowest = "–" if self.slowest < 0 else f"{self.slowest:.1f} s"
        survived = self.trials - self.lost
        return f"| {self.fault} | {self.trials} | {survived} | {self.lost} | {slowest} |"

    @staticmethod
    def table(rows: Sequence[Row]) -> str:
        """All of them."""
        head = ["| fault | trials | survived | lost | slowest end |", "|---|---|---|---|---|"]
        return "\n".join([*head, *(row.line() for row in rows)])


class Fault:
    """What happens to one process. trial returns what was lost, and when the last one ended."""

    name: str

    def trial(self, bench: Bench) -> tuple[str | None, float]:
        """Try it."""
        raise NotImplementedError


@dataclass(frozen=True)
class Strike(Fault):
    """Something that happens at a random moment."""

    name: str
    role: int  # the task that it happens to
    do: Callable[[Task, Hosts], None]  # one of those below
    code: int = LOST  # of all others, and of itself if it goes on
    hosts: Hosts | None = None  # loopback if None
    limit: str | None = None  # a line of shell, with a number of megabytes, for the task
    count: int = _SIZE  # of processes that go on with the run
    alone: bool = False  # each process is started again as soon as it has ended

    def trial(self, bench: Bench) -> tuple[str | None, float]:
        """Try it, and go on with the run."""
        hosts = self.hosts or loopback(_SIZE)
        tasks = bench.tasks(hosts, {"peer-timeout": f"{bench.timeout}s"})
        try:
            trouble, seconds = self._strike(bench, tasks, hosts)
        finally:
            if not self.alone:
                stop(tasks)
            if self.do is unplug:
                hosts.link(self.role, "up")
        trouble = trouble or (_each_again(bench, tasks) if self.alone else self._again(bench))
        return trouble, seconds

    def _strike(self, bench: Bench, tasks: list[Task], hosts: Hosts) -> tuple[str | None, float]:
        victim = tasks[self.role]
        if self.limit:
            line = self.limit.format(random.randint(150, 330))
            victim.command = ["sh", "-c", f'{line} && exec "$0" "$@"', *victim.command]
        for task in tasks:
            task.start({})
        moment = time.monotonic() + random.uniform(0, bench.seconds)
        while time.monotonic() < moment and all([task.runs() for task in tasks]):
            time.sleep(0.01)
        if self.limit:
            wait([victim])
        elif early := [task.end() for task in tasks if not task.runs() and task.end().code]:
            return f"ended before the fault: {early}", -1
        together = all(task.works() for task in tasks)
        trouble = _listen_elsewhere(tasks) if together and not self.limit else None
        begun = victim.ended or time.monotonic()
        self.do(victim, hosts)
        if self.alone:
            return trouble, -1
        others = [t for t in tasks if t is not victim or self.do in (unplug, interrupt)]
        alive = [task for task in others if task.runs()]
        if not wait(others):
            return f"hangs: {[task.end() for task in others]}", -1
        seconds = max((task.ended - begun for task in alive), default=0.0)
        if seconds > bench.timeout + _SLACK + (0 if together else _START):
            trouble = trouble or f"ended after {seconds:.1f} s: {[t.end() for t in others]}"
        done = bench.differs() is None
        for task in others:
            trouble = trouble or self._judge(task, victim, together, done)
        return trouble, seconds if together else -1

    def _judge(self, task: Task, victim: Task, together: bool, done: bool) -> str | None:
        """Say what is wrong with the end of a process."""
        end, codes = task.end(), {self.code}
        if done:
            codes.add(0)
        if self.code == INTERRUPTED and not together:
            codes.add(LOST)  # the others may never have heard of it
        if trouble := end.trouble([*codes]):
            return trouble
        if end.code != LOST or self.code != LOST:
            return None
        names = [victim.name] if task is not victim else ["worker 0", "worker 1", "worker 2"]
        last = [line for line in end.stderr.splitlines() if line.startswith("tftl: ")][-1]
        return None if any(name in last for name in names) else f"names another: {end}"

    def _again(self, bench: Bench) -> str | None:
        """Go on with the run, undisturbed."""
        tasks = bench.tasks(loopback(self.count), {"continue": True}, fresh=False)
        for task in tasks:
            task.start({})
        if not wait(tasks):
            return f"hangs: {[task.end() for task in tasks]}"
        for task in tasks:
            if trouble := task.end().trouble([0]):
                return f"again: {trouble}"
        return bench.differs() if self.count == _SIZE else bench.rounds()


def kill(victim: Task, hosts: Hosts) -> None:
    """End it."""
    victim.process.send_signal(signal.SIGKILL)


def hang(victim: Task, hosts: Hosts) -> None:
    """Stop it, without a word to the others."""
    victim.process.send_signal(signal.SIGSTOP)


def interrupt(victim: Task, hosts: Hosts) -> None:
    """Ask it to end."""
    victim.process.send_signal(signal.SIGTERM)


def unplug(victim: Task, hosts: Hosts) -> None:
    """Take its link away."""
    hosts.link(victim.number, "down")


def nothing(victim: Task, hosts: Hosts) -> None:
    """Leave it alone, because a limit ends it."""


def _each_again(bench: Bench, tasks: list[Task]) -> str | None:
    """Start each process again as soon as it has ended with an error, as Kubernetes does."""
    left = {task.number: _ATTEMPTS for task in tasks}
    late = time.monotonic() + 200
    for task in tasks:
        task.command = [*task.command, "--continue"]
    try:
        while True:
            ended = [task for task in tasks if not task.runs()]
            again = [task for task in ended if task.end().code]
            for task in again:
                left[task.number] -= 1
                if trouble := task.end().trouble([0, LOST, KILLED]):
                    return trouble
                task.start({})
            if len(ended) == len(tasks) and not again:
                return bench.differs()
            if time.monotonic() > late or min(left.values()) < 0:
                return f"does not come to an end: {left}, {[task.said() for task in tasks]}"
            time.sleep(0.01)
    finally:
        stop(tasks)


def _listen_elsewhere(tasks: list[Task]) -> str | None:
    for task in tasks:
        with suppress(OSError):  # it has just ended
            listens = task.listens()
            if listens != [task.address] and task.runs():
                return f"{task.name} listens at {listens} instead of {task.address}"
    return None


@dataclass(frozen=True)
class Different(Fault):
    """A process that should not take part, or all of them: no process makes a step."""

    name: str
    text: str  # what each process says
    code: int
    options: Options | None = field(default_factory=dict)  # of worker 1; None: it does not start
    env: dict[str, str] = field(default_factory=dict)  # of worker 1
    program: Path | None = None  # of worker 1
    everyone: Options = field(default_factory=dict)

    def trial(self, bench: Bench) -> tuple[str | None, float]:
        """Start them."""
        start = {"start-timeout": f"{_ABSENT}s"} if self.options is None else {}
        base = {"peer-timeout": f"{bench.timeout}s"} | start | dict(self.everyone)
        hosts = loopback(_SIZE)
        tasks = bench.tasks(hosts, base)
        if self.options is None:
            tasks = [task for task in tasks if task.number != 1]
        else:
            tasks[1] = bench.tasks(hosts, base | dict(self.options))[1]
            tasks[1].command = [self.program or PROGRAM, *tasks[1].command[1:]]
        for task in tasks:
            task.start(self.env if task.number == 1 else {})
        if not wait(tasks):
            return f"hangs: {[task.end() for task in tasks]}", -1
        first = min(task.ended for task in tasks)
        if self.options is None:
            first = max(task.begun for task in tasks) + _ABSENT
        seconds = max(task.ended for task in tasks) - first
        for task in tasks:
            end = task.end()
            if trouble := end.trouble([self.code]):
                return trouble, seconds
            if self.text not in end.stderr:
                return f"does not say {self.text!r}: {end}", seconds
        if seconds > bench.timeout + _SLACK:
            return f"ended {seconds:.1f} s after the first: {[t.end() for t in tasks]}", seconds
        if not self.everyone and (bench.folder / "run").exists():
            return "a run was begun", seconds
        return None, seconds


@dataclass(frozen=True)
class Alike(Fault):
    """Undisturbed hosts train as one process does."""

    name: str
    hosts: Hosts
    options: Options

    def trial(self, bench: Bench) -> tuple[str | None, float]:
        """Train twice, and compare the losses."""
        found = []
        for hosts in (self.hosts, loopback(1)):
            tasks = bench.tasks(hosts, self.options)
            for task in tasks:
                task.start({})
            if not wait(tasks) or any(task.end().code for task in tasks):
                return f"ended: {[task.end() for task in tasks]}", -1
            found.append(bench.losses())
        several, one = found
        return (None if near(several, one, 1e-5) else f"losses {several} instead of {one}"), -1
