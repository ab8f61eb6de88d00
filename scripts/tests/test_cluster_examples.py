"""The examples for clusters do what they say, as far as that shows without one."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from program import ROOT

EXAMPLES = ROOT / "examples" / "cluster"


def slurm(folder: Path, script: str, program: str, body: str) -> subprocess.CompletedProcess[str]:
    """Run a script with a stand-in for a program, as Slurm would."""
    stand_in = folder / program
    stand_in.write_text(f"#!/bin/sh\n{body}\n")
    stand_in.chmod(0o755)
    environment = os.environ | {
        "PATH": f"{folder}:{os.environ['PATH']}",
        "SLURM_CPUS_PER_TASK": "16",
        "SLURM_ARRAY_TASK_ID": "3",
    }
    return subprocess.run(
        [EXAMPLES / script], cwd=folder, env=environment, capture_output=True, text=True
    )


@pytest.mark.parametrize(
    ("codes", "tries", "code"),
    [
        ("0", 1, 0),
        ("138 0", 2, 0),
        ("137 138 0", 3, 0),
        ("138 138 138", 3, 138),
        ("3", 1, 3),  # bad data would be bad again
        ("138 130", 2, 130),  # interrupted
    ],
)
def test_slurm_starts_again(tmp_path, codes, tries, code):
    count = 'echo "$@" >>calls; set -- $CODES; shift $(($(wc -l <calls) - 1)); exit $1'
    done = slurm(tmp_path, "slurm.sh", "srun", f'CODES="{codes}"; {count}')
    calls = (tmp_path / "calls").read_text().splitlines()
    assert (len(calls), done.returncode) == (tries, code)
    assert all("tftl fit" in call and "--continue --cluster slurm" in call for call in calls)


def test_slurm_shards(tmp_path):
    done = slurm(tmp_path, "slurm-shards.sh", "tftl", 'echo "$@"')
    assert done.returncode == 0, done.stderr
    assert "--shard 3/10" in (tmp_path / "shards/3").read_text()


# The arguments of the manifests, which the command takes: it waits for the others' addresses.
@pytest.mark.parametrize(
    ("manifest", "variables", "task"),
    [
        ("indexed-job.yaml", {"JOB_COMPLETION_INDEX": "2"}, "train-2.train"),
        ("jobset.yaml", {"TFTL_TASK": "0"}, "train-chief-0-0.train"),
        ("jobset.yaml", {"TFTL_TASK": "3", "JOB_COMPLETION_INDEX": "0"}, "train-worker-2-0.train"),
    ],
)
def test_manifests_name_their_tasks(tmp_path, manifest, variables, task):
    text = (EXAMPLES / manifest).read_text()
    arguments = re.findall(r"^ +- (fit|--[a-z-]+(?:=\S+)?)(?: #.*)?$", text, re.MULTILINE)
    changed = {"--output": tmp_path / "run", "--start-timeout": "1s"}
    words = arguments + [f"{name}={value}" for name, value in changed.items()]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TFTL_")} | variables
    done = subprocess.run(
        [ROOT / "bin/tftl", *words], env=environment, capture_output=True, text=True
    )
    assert f'{task}:2222": its name has no IP address yet' in done.stderr, done.stderr
