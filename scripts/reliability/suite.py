"""What the suites share: running tftl, judging how it ended, and tables of what was lost."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(os.environ.get("PROGRAM", ROOT / "bin" / "tftl")).resolve()
TESTDATA = ROOT / "build" / "testdata"

KILLED = 137  # as shells say it
_PATIENCE = 300  # seconds until a command counts as hanging

# Internals that a user should never see.
_INNER = re.compile(
    r"panic|goroutine \d|\[\[\{\{|\{\{node|runtime error|%!|^\s+at |\.go:\d|Check failed"
)


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    command: Sequence[str]
    code: int
    stderr: str

    def trouble(self, codes: Sequence[int]) -> str | None:
        """Say what is wrong with its exit code or with what it said, if anything is."""
        said = f"{' '.join(self.command)}\n  exit code {self.code}: {self.stderr[-1500:].strip()}"
        if self.code not in codes:
            return f"ended with another code than {list(codes)}: {said}"
        if self.code == KILLED:
            return None
        lines = self.stderr.splitlines()
        if any(_INNER.search(line) or len(line) > 800 for line in lines):
            return f"not for a user: {said}"
        if lines and lines[-1].startswith("hint: "):
            lines.pop()
        errors = [line for line in lines if re.match(r"tftl: (?!warning: |error: )", line)]
        if self.code and (len(errors) != 1 or lines[-1] != errors[0]):
            return f"the error should be one line, the last before a hint: {said}"
        return None


def environment(folder: Path) -> dict[str, str]:
    """The environment of a command that keeps everything it writes in a folder."""
    for name in ("cache", "tmp"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TFTL_")}
    return kept | {"XDG_CACHE_HOME": str(folder / "cache"), "TMPDIR": str(folder / "tmp")}


def run(command: Sequence[object], env: Mapping[str, str], stdout: Path | None = None) -> Ended:
    """Run a command, with its standard output in a file."""
    words = [str(word) for word in command]
    with open(stdout or os.devnull, "wb") as out:
        try:
            done = subprocess.run(
                words, env=env, stdout=out, stderr=subprocess.PIPE, timeout=_PATIENCE
            )
        except subprocess.TimeoutExpired as late:
            return Ended(words, -1, f"hangs; {(late.stderr or b'').decode(errors='replace')}")
    code = done.returncode if done.returncode >= 0 else 128 - done.returncode
    return Ended(words, code, done.stderr.decode(errors="replace"))


@dataclass
class Row:
    """How often a command met a fault, and how often its work was lost."""

    command: str
    fault: str
    trials: int = 0
    lost: int = 0

    def count(self, trouble: str | None) -> None:
        """Count a trial, and show what went wrong."""
        self.trials += 1
        if trouble:
            self.lost += 1
            say(f"LOST: {self.command}, {self.fault}: {trouble}\n")


def merged(rows: Sequence[Row]) -> list[Row]:
    """One row for each fault, with all the commands that met it."""
    sums: dict[str, Row] = {}
    for row in rows:
        if row.fault not in sums:
            sums[row.fault] = Row(row.command, row.fault, row.trials, row.lost)
            continue
        together = sums[row.fault]
        together.command += f", {row.command}"
        together.trials += row.trials
        together.lost += row.lost
    return list(sums.values())


def table(rows: Sequence[Row]) -> str:
    """The rows in Markdown."""
    lines = ["| command | fault | trials | survived | lost |", "|---|---|---|---|---|"]
    lines += [
        f"| {r.command} | {r.fault} | {r.trials} | {r.trials - r.lost} | {r.lost} |" for r in rows
    ]
    return "\n".join(lines)


def say(text: str) -> None:
    """Show progress, apart from the results."""
    print(text, file=sys.stderr, flush=True)
