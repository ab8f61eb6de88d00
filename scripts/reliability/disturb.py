"""Trials of a command, and the faults that meet it alone: failing system calls and signals."""

from __future__ import annotations

import errno
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from cases import Case, leftovers, results, unsound
from suite import KILLED, ROOT, Ended, environment

CODES = (0, 1, 2, 3, 4)  # what a fault may end in: files that are not read may be any of these
WRITES = (0, 1)  # if something is not written
_ALWAYS = 1 << 30


@dataclass(frozen=True)
class Bench:
    """Where a command is tried, and what its undisturbed work is."""

    case: Case
    folder: Path
    template: Path
    want: dict[str, str]
    seconds: float  # of the undisturbed command

    @classmethod
    def of(cls, case: Case, work: Path) -> Bench:
        """Do the work undisturbed."""
        folder, template = work / "trial", work / f"{case.name}.template"
        case.prepare(folder, template)
        begun = time.monotonic()
        done = case.do(folder)
        assert done.code == 0, done
        return cls(case, folder, template, results(folder), time.monotonic() - begun)

    @property
    def work(self) -> Path:
        """A folder for what the trial needs itself."""
        return self.folder.parent

    def fresh(self) -> None:
        """Begin again."""
        self.case.prepare(self.folder, self.template)

    def differs(self) -> str | None:
        """Say what is not as in the undisturbed work."""
        got = results(self.folder)
        names = [name for name in self.want.keys() | got if self.want.get(name) != got.get(name)]
        return f"differ: {', '.join(sorted(names)[:9])}" if names else unsound(self.folder)

    def judge(
        self,
        done: Ended,
        codes: tuple[int, ...] = CODES,
        relieve: Callable[[], None] = lambda: None,
        tidy: bool = False,
    ) -> str | None:
        """Say what was lost by a disturbed command.

        It is repeated after relieve has ended the fault. With tidy, the fault was no reason to
        leave unfinished files.
        """
        trouble = done.trouble(codes)
        left = leftovers(self.folder) if tidy and done.code != KILLED else []
        relieve()
        if done.code == 0:
            return trouble or self.differs()
        again = self.case.repeat(self.folder)
        if lost := again.trouble((0,)) or self.differs():
            return f"{lost}\n  after: {done}"
        return trouble or (f"unfinished files {left} after: {done}" if left else None)

    def start(self) -> subprocess.Popen[bytes]:
        """Begin the command; its standard error goes to a file."""
        out = self.case.stdout(self.folder)
        with open(out or "/dev/null", "wb") as stdout, open(self.work / "stderr", "wb") as stderr:
            words = [str(word) for word in self.case.command(self.folder)]
            env = environment(self.folder)
            return subprocess.Popen(words, env=env, stdout=stdout, stderr=stderr)

    def end(self, process: subprocess.Popen[bytes]) -> Ended:
        """Wait for its end."""
        code = process.wait()
        said = (self.work / "stderr").read_text(errors="replace")
        words = [str(word) for word in self.case.command(self.folder)]
        return Ended(words, code if code >= 0 else 128 - code, said)


@dataclass(frozen=True)
class Fault:
    """A fault that commands meet. try_ makes trials and yields what each of them lost."""

    name: str
    try_: Callable[[Bench, int], Iterator[str | None]]


def spread(count: int, most: int) -> list[int]:
    """At most so many numbers from 1 to count: a random one in each stretch."""
    if count <= most:
        return list(range(1, count + 1))
    edges = [round(i * count / most) for i in range(most + 1)]
    return [random.randint(low + 1, high) for low, high in zip(edges, edges[1:], strict=False)]


@dataclass(frozen=True)
class Injection:
    """System calls that fail: their kind, what they get, and whether all later ones do too."""

    calls: str
    action: str
    always: bool = False

    def trials(self, program: Path, bench: Bench, most: int) -> Iterator[str | None]:
        """Let each call fail in turn, or as many of them as there are trials."""
        self._do(program, bench, 0)
        calls = int((bench.work / "count").read_text())
        codes = (0, KILLED) if self.action == "kill" else CODES if self.calls == "o" else WRITES
        for at in spread(calls, most):
            trouble = bench.judge(self._do(program, bench, at), codes, tidy=self.calls in "ws")
            yield trouble and f"call {at} of {calls}: {trouble}"

    def _do(self, program: Path, bench: Bench, at: int) -> Ended:
        bench.fresh()
        last = _ALWAYS if self.always and at else at
        words = [program, bench.folder, self.calls, self.action, at, last, bench.work / "count"]
        return bench.case.do(bench.folder, words)


def injections(work: Path) -> list[Fault]:
    """Faults of system calls. It compiles the program that makes them."""
    program = work / "inject"
    source = ROOT / "scripts" / "reliability" / "inject.c"
    subprocess.run(["gcc", "-O1", "-Wall", "-o", program, source], check=True)
    full, damaged, many = str(errno.ENOSPC), str(errno.EIO), str(errno.EMFILE)
    return [
        Fault(name, partial(injection.trials, program))
        for name, injection in {
            "no space (ENOSPC) from one write on": Injection("w", full, always=True),
            "one write fails (EIO)": Injection("w", damaged),
            "one write is short": Injection("w", "short"),
            "one sync fails (EIO)": Injection("s", damaged),
            "no more open files (EMFILE) from one on": Injection("o", many, always=True),
            "one file does not open (EIO)": Injection("o", damaged),
            "one name is not made, moved or removed (EIO)": Injection("n", damaged),
            "killed before one write": Injection("w", "kill"),
            "killed before one name is made, moved or removed": Injection("n", "kill"),
        }.items()
    ]


@dataclass(frozen=True)
class Signal:
    """What is done to a running process, and the exit codes that this may have."""

    send: Callable[[subprocess.Popen[bytes], float], None]
    codes: tuple[int, ...]

    def trials(self, bench: Bench, most: int) -> Iterator[str | None]:
        """Send it at random moments."""
        for _ in range(most):
            bench.fresh()
            process = bench.start()
            self.send(process, bench.seconds)
            yield bench.judge(bench.end(process), self.codes)


def kill(process: subprocess.Popen[bytes], seconds: float) -> None:
    """End a process at a random moment."""
    time.sleep(random.uniform(0, seconds))
    process.kill()


def _interrupt(process: subprocess.Popen[bytes], seconds: float) -> None:
    time.sleep(random.uniform(0, seconds))
    process.send_signal(signal.SIGTERM)


def _stop(process: subprocess.Popen[bytes], seconds: float) -> None:
    for _ in range(5):
        time.sleep(random.uniform(0, seconds / 5))
        process.send_signal(signal.SIGSTOP)
        time.sleep(0.05)
        process.send_signal(signal.SIGCONT)


def signals() -> list[Fault]:
    """Faults that are signals."""
    return [
        Fault("killed (SIGKILL) at a random moment", Signal(kill, (0, KILLED)).trials),
        Fault("asked to end (SIGTERM) at a random moment", Signal(_interrupt, (0, 130)).trials),
        Fault("stopped and continued five times", Signal(_stop, (0,)).trials),
    ]
