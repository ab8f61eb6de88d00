"""The suites of scripts/reliability run at toy size, and see what they should."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import fuzz
import pytest
from disturb import spread
from program import ROOT
from soak import Held, grown
from suite import KILLED, Ended, Row, merged
from tasks import Task, stop
from trials import near


def rows(script: str, *arguments: object) -> list[list[str]]:
    """Run a suite; returns the cells of its table."""
    command = [sys.executable, ROOT / "scripts" / "reliability" / script, *arguments]
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    lines = [line.strip("| ").split(" | ") for line in done.stdout.splitlines()]
    assert len(lines) > 2, done.stderr
    if lost := [line for line in done.stderr.splitlines() if line.startswith("LOST")]:
        pytest.fail(f"{lost}\n{done.stderr}")
    return lines[2:]


def test_faults():
    few = "ENOSPC|killed before one write|ulimit -n"
    found = rows("faults.py", "--trials", 1, "--commands", "fit", "--faults", few)
    assert {row[0] for row in found} == {"`fit`"}
    assert all(row[2:] == ["1", "1", "0"] for row in found)
    assert len(found) in (1, 3)  # system calls do not fail everywhere


def test_soak():
    found = rows("soak.py", "--steps", 300, "--evaluations", 11, "--images", 3000)
    assert [row[0] for row in found] == [
        "`fit`, 300 steps",
        "11 evaluations",
        "`predict -`, 3000 images",
    ]


def test_an_end_is_judged():
    def trouble(code: int, stderr: str) -> bool:
        return bool(Ended(["tftl"], code, stderr).trouble((0, 1, KILLED)))

    assert not trouble(0, "tftl: warning: slow\n")
    assert not trouble(1, "head epoch 1\ntftl: no room\nhint: buy a disk\n")
    assert not trouble(KILLED, "")
    assert trouble(2, "tftl: bad usage\n")
    assert trouble(1, "")
    assert trouble(1, "tftl: one\ntftl: two\n")
    assert trouble(1, "tftl: one\nand more\n")
    assert trouble(1, "goroutine 1 [running]:\ntftl: crashed\n")
    assert trouble(0, "tftl: warning: [[{{node x}}]]\n")


def test_rows_are_merged():
    rows = [Row("`fit`", "slow", 3, 1), Row("`run`", "slow", 4), Row("`fit`", "full", 2)]
    assert merged(rows) == [Row("`fit`, `run`", "slow", 7, 1), Row("`fit`", "full", 2)]
    assert rows[0].trials == 3


def test_trials_are_spread():
    assert spread(3, 10) == [1, 2, 3]
    places = spread(1000, 10)
    assert [place // 100 for place in (at - 1 for at in places)] == list(range(10))


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
def test_listeners_are_found(host: str, tmp_path: Path):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as listener:
        try:
            listener.bind((host, 0))
        except OSError:
            pytest.skip("no IPv6")
        port = listener.getsockname()[1]
        ours = Task(0, "", ["sleep", "60"], tmp_path)
        ours.start({}, pass_fds=[listener.fileno()])
        assert ours.listens() == []
        listener.listen()
        shown = host.removeprefix("::ffff:")
        assert ours.listens() == [f"[{shown}]:{port}" if ":" in shown else f"{shown}:{port}"]
        stop([ours])
    assert ours.end().code == KILLED


def test_losses_are_compared():
    assert near([1.0, 0.5], [1.00001, 0.5])
    assert not near([1.0, 0.5], [1.001, 0.5])
    assert not near([1.0], [1.0, 0.5])


def test_growth_is_noticed():
    flat = [Held(100, 10, 7)] * 10
    assert not grown(flat)
    assert grown([Held(100 + 5 * i, 10, 7) for i in range(10)])
    assert grown([*flat[:7], *[Held(100, 10, 10)] * 3])


def test_every_fuzzer_is_found():
    found = fuzz.fuzzers()
    assert ("internal/tfrecord", "FuzzRead") in found
    assert len(found) >= 19


def test_every_package_has_a_hash():
    packages = (ROOT / "scripts" / "requirements.txt").read_text().split("\n")
    assert not [line for line in packages if "==" in line and not line.endswith("\\")]
