"""What the benchmarks share: running a command and measuring it, and Markdown tables."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Run:
    """What one command took, and the JSON on the last line that it printed."""

    seconds: float
    processor: float  # seconds of all processors
    memory: float  # the most resident megabytes
    printed: dict[str, Any] = field(default_factory=dict)


def measured(
    command: Sequence[object],
    env: dict[str, str] | None = None,
    stdin: Path | None = None,
    codes: tuple[int, ...] = (0,),
) -> Run:
    """Run a command that must succeed, with one of these exit codes.

    What it prints on stderr is shown only if it fails.
    """
    words = [str(word) for word in command]
    with (
        tempfile.TemporaryFile("w+") as out,
        tempfile.TemporaryFile("w+") as err,
        open(stdin or os.devnull) as given,
    ):
        start = time.monotonic()
        program = subprocess.Popen(
            words, stdin=given, stdout=out, stderr=err, env=os.environ | (env or {})
        )
        _, status, used = os.wait4(program.pid, 0)
        seconds = time.monotonic() - start
        program.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        if program.returncode not in codes:
            sys.exit(f"{' '.join(words)}: exit status {program.returncode}\n{err.read()[-4000:]}")
        last = (out.read().strip().splitlines() or [""])[-1]
    printed = json.loads(last) if last.startswith("{") else {}
    return Run(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024 / 1e6, printed)


def processor() -> str:
    """The processor's name, and the limits on its instructions in the environment."""
    names = re.findall(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    limits = [f"{name}={os.environ[name]}" for name in LIMITS if name in os.environ]
    count = len(os.sched_getaffinity(0))
    return ", ".join([f"{count} processors, {names[0] if names else 'unknown'}", *limits])


def precisions() -> list[str]:
    """float32, and bfloat16 if the processor has it, which tftl then uses by default."""
    about = subprocess.run(
        [ROOT / "bin/tftl", "version", "--json"], check=True, text=True, stdout=subprocess.PIPE
    ).stdout
    return list(dict.fromkeys(["float32", json.loads(about)["precision"]]))


# Variables that limit which instructions the programs use.
LIMITS = ("ONEDNN_MAX_CPU_ISA", "ATEN_CPU_CAPABILITY", "MKL_ENABLE_INSTRUCTIONS")


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def say(text: str) -> None:
    """Show progress, apart from the results."""
    print(text, file=sys.stderr, flush=True)
