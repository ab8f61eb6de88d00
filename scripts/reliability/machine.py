"""Faults of the machine around a command: disks, dates, limits, and other processes."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from disturb import CODES, WRITES, Bench, Fault, kill, spread
from suite import KILLED, Row

_MEGABYTE = 1 << 20


@contextmanager
def _mounted(folder: Path, *words: object) -> Iterator[None]:
    folder.mkdir(exist_ok=True)
    _command("mount", *words, folder)
    try:
        yield
    finally:
        _command("umount", folder)


def _command(*words: object) -> None:
    subprocess.run([str(word) for word in words], check=True)


def _small_disk(bench: Bench, most: int) -> Iterator[str | None]:
    disk = bench.work / "disk"

    def resize(size: int) -> None:
        _command("mount", "-o", f"remount,size={size}", disk)

    here = replace(bench, folder=disk / "trial")
    for room in spread(2 * _MEGABYTE, most):
        with _mounted(disk, "-t", "tmpfs", "tmpfs"):
            here.fresh()
            state = os.statvfs(disk)
            resize((state.f_blocks - state.f_bfree) * state.f_frsize + room)
            done = here.case.do(here.folder)
            trouble = here.judge(done, WRITES, lambda: resize(64 * _MEGABYTE), tidy=True)
        yield trouble and f"with {room} bytes left: {trouble}"


def _read_only(bench: Bench, _: int) -> Iterator[str | None]:
    for name in ("run", "runs", "cache", "tmp", "explain"):
        bench.fresh()
        folder = bench.folder / name
        existed = folder.exists()
        with _mounted(folder, "--bind", folder):
            _command("mount", "-o", "remount,bind,ro", folder)
            done = bench.case.do(bench.folder)
        if not existed:
            folder.rmdir()
        trouble = bench.judge(done)
        yield trouble and f"{name} is read-only: {trouble}"


def file_systems() -> list[Fault]:
    """Faults that need the right to mount."""
    return [
        Fault("file system (tmpfs) with up to 2 MB left", _small_disk),
        Fault("one of its folders is read-only", _read_only),
    ]


def _dated(bench: Bench, most: int) -> Iterator[str | None]:
    def redate() -> None:
        for path in bench.folder.rglob("*"):
            when = random.choice((4e7, 4.08e9))
            os.utime(path, (when, when), follow_symlinks=False)

    for _ in range(most):
        bench.fresh()
        redate()
        process = bench.start()
        kill(process, bench.seconds)
        yield bench.judge(bench.end(process), (0, KILLED), redate)


def _twice(bench: Bench, most: int) -> Iterator[str | None]:
    for _ in range(most):
        bench.fresh()
        first = bench.start()
        time.sleep(random.uniform(0, bench.seconds))
        second = bench.case.do(bench.folder)
        done = [bench.end(first), second]
        trouble = next((t for d in done if (t := d.trouble((0, 2)))), None)
        if all(d.code for d in done):
            trouble = f"neither did it: {done}"
        yield trouble or bench.differs()


def _limit(name: str, shell: str, least: int, most: int, *codes: int) -> Fault:
    """A limit of so many units, which a shell sets before it becomes the command."""

    def trials(bench: Bench, count: int) -> Iterator[str | None]:
        for at in spread(most - least + 1, count):
            line = shell.format(least + at - 1)
            bench.fresh()
            done = bench.case.do(bench.folder, ["sh", "-c", f'{line} && exec "$0" "$@"'])
            trouble = bench.judge(done, (*CODES, *codes))
            yield trouble and f"{line}: {trouble}"

    return Fault(name, trials)


def around() -> list[Fault]:
    """Faults that need no rights."""
    return [
        Fault("killed, and its files dated 1971 or 2099", _dated),
        Fault("started twice on the same folder", _twice),
        _limit("1 to 5 GB of addresses (`ulimit -v`)", "ulimit -v {}", 1 << 20, 5 << 20),
        _limit("4 to 60 open files (`ulimit -n`)", "ulimit -n {}", 4, 60),
        _limit("files of up to 300 KB (`ulimit -f`)", "ulimit -f {}", 1, 600),
    ]


@contextmanager
def memory_group() -> Iterator[str]:
    """A control group, in which the kernel kills what needs more memory.

    It is entered by a line of shell, with a number of megabytes to be filled in.
    """
    own, limit = _own_group()
    group = own / f"tftl-faults-{os.getpid()}"
    group.mkdir()
    try:
        yield f"echo {{}}M >{group / limit} && echo $$ >{group / 'cgroup.procs'}"
    finally:
        group.rmdir()


@contextmanager
def little_memory() -> Iterator[list[Fault]]:
    """Faults of a control group."""
    with memory_group() as shell:
        yield [_limit("50 to 350 MB of memory (control group)", shell, 50, 350, KILLED)]


def _own_group() -> tuple[Path, str]:
    """The control group of this process, and its file with the limit of memory."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "memory":
            return Path("/sys/fs/cgroup/memory" + path), "memory.limit_in_bytes"
    return Path("/sys/fs/cgroup" + path), "memory.max"


def together(benches: list[Bench], most: int) -> Row:
    """Run all commands at once, with one cache that is empty."""
    row = Row("all of these", "at once on one empty cache")
    for _ in range(most):
        shared = benches[0].work / "shared"
        shutil.rmtree(shared, ignore_errors=True)
        shared.mkdir()
        here = [replace(b, folder=b.work / f"beside-{i}" / "trial") for i, b in enumerate(benches)]
        for b in here:
            b.fresh()
            shutil.rmtree(b.folder / "cache")
            (b.folder / "cache").symlink_to(shared)
        running = [b.start() for b in here]
        for b, process in zip(here, running, strict=True):
            row.count(b.end(process).trouble((0,)) or b.differs())
    return row
