"""The processes of a cluster, on loopback or on hosts of their own."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from suite import Ended, environment

_HANGS = 120  # seconds


@dataclass(frozen=True)
class Hosts:
    """Where the processes of a cluster listen."""

    addresses: list[str]
    namespaces: list[str] = field(default_factory=list)  # of the network; empty for loopback

    def wrap(self, task: int) -> list[object]:
        """The words before a command that runs on a task's host."""
        return ["ip", "netns", "exec", self.namespaces[task]] if self.namespaces else []

    def link(self, task: int, state: str) -> None:
        """Take the link of a task's host up or down."""
        _ip("-n", self.namespaces[task], "link", "set", "eth0", state)


def loopback(count: int) -> Hosts:
    """Free ports of this machine."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return Hosts([f"127.0.0.1:{one.getsockname()[1]}" for one in sockets])


@contextmanager
def network(count: int) -> Iterator[Hosts]:
    """Hosts with their own addresses: network namespaces, joined by a bridge in another one."""
    prefix = f"tftl-{os.getpid()}-{count}"
    switch, names = f"{prefix}-switch", [f"{prefix}-{i}" for i in range(count)]
    addresses = [f"10.23.45.{i + 1}" for i in range(count)]
    with ExitStack() as held:
        for name in (switch, *names):
            _ip("netns", "add", name)
            held.callback(_ip, "netns", "del", name)
        _ip("-n", switch, "link", "add", "bridge0", "type", "bridge")
        _ip("-n", switch, "link", "set", "bridge0", "up")
        for i, (name, address) in enumerate(zip(names, addresses, strict=True)):
            there = ("peer", "name", "eth0", "netns", name)
            _ip("-n", switch, "link", "add", f"port{i}", "type", "veth", *there)
            _ip("-n", switch, "link", "set", f"port{i}", "master", "bridge0", "up")
            _ip("-n", name, "address", "add", f"{address}/24", "dev", "eth0")
            for link in ("lo", "eth0"):
                _ip("-n", name, "link", "set", link, "up")
        yield Hosts([f"{address}:2222" for address in addresses], names)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


@dataclass
class Task:
    """A process of a cluster."""

    number: int
    address: str
    command: Sequence[object]
    folder: Path  # with its cache, its temporary files and what it says
    begun: float = 0
    ended: float = 0  # 0 as long as it runs
    process: subprocess.Popen[bytes] = field(init=False)

    def start(self, env: dict[str, str], pass_fds: Sequence[int] = ()) -> None:
        """Begin."""
        kept = environment(self.folder) | {"TFTL_THREADS": "1", "TFTL_WORKERS": "1"} | env
        words = [str(word) for word in self.command]
        self.begun, self.ended = time.monotonic(), 0
        with open(self.folder / "tmp" / "stderr", "wb") as stderr:
            self.process = subprocess.Popen(
                words, env=kept, stdout=subprocess.DEVNULL, stderr=stderr, pass_fds=pass_fds
            )

    @property
    def name(self) -> str:
        """What messages call it."""
        return f"worker {self.number}"

    def said(self) -> str:
        """Its messages so far."""
        return (self.folder / "tmp" / "stderr").read_text(errors="replace")

    def works(self) -> bool:
        """Whether the cluster had come together when it last looked."""
        return "class folders" in self.said()

    def runs(self) -> bool:
        """Whether it has not ended."""
        if not self.ended and self.process.poll() is not None:
            self.ended = time.monotonic()
        return not self.ended

    def end(self) -> Ended:
        """How it ended."""
        code = self.process.returncode
        words = [str(word) for word in self.command]
        return Ended(words, code if code >= 0 else 128 - code, self.said())

    def listens(self) -> list[str]:
        """The addresses at which it listens, as ss -ltn shows them."""
        process = Path(f"/proc/{self.process.pid}")
        held = set()
        for file in (process / "fd").iterdir():
            with suppress(FileNotFoundError):  # it was closed meanwhile
                if match := re.match(r"socket:\[(\d+)\]", os.readlink(file)):
                    held.add(match[1])
        tables = [(process / "net" / name).read_text() for name in ("tcp", "tcp6")]
        rows = [line.split() for text in tables for line in text.splitlines()[1:]]
        return [_address(row[1]) for row in rows if row[3] == "0A" and row[9] in held]


def _address(text: str) -> str:
    """An address as the kernel writes it, IPv4 if it is mapped to IPv6."""
    host, port = text.split(":")
    words = [bytes.fromhex(host[i : i + 8])[::-1] for i in range(0, len(host), 8)]
    if len(words) == 1 or b"".join(words[:3]) == bytes(10) + b"\xff\xff":
        return f"{socket.inet_ntop(socket.AF_INET, words[-1])}:{int(port, 16)}"
    return f"[{socket.inet_ntop(socket.AF_INET6, b''.join(words))}]:{int(port, 16)}"


def wait(tasks: Sequence[Task]) -> bool:
    """Wait until all have ended; reports whether they did by themselves. None stays behind."""
    late = time.monotonic() + _HANGS
    try:
        while any([task.runs() for task in tasks]):  # all are asked
            if time.monotonic() > late:
                return False
            time.sleep(0.01)
        return True
    finally:
        stop(tasks)


def stop(tasks: Sequence[Task]) -> None:
    """Kill those that still run."""
    for task in tasks:
        if task.runs():
            task.process.send_signal(signal.SIGKILL)
            task.process.wait()
            task.runs()


def folders(chief: Path, count: int, fresh: bool) -> list[Path]:
    """Folders of tasks: the chief's, and those of the others beside it."""
    found = [chief, *(chief.parent / f"worker-{i}" for i in range(1, count))]
    for one in found:
        if fresh:
            shutil.rmtree(one, ignore_errors=True)
        one.mkdir(parents=True, exist_ok=True)
    return found
