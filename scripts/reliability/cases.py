"""The commands that are disturbed, and how to tell that their work is what it should be."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from suite import PROGRAM, TESTDATA, Ended, environment, run

PHOTOS, MODEL = TESTDATA / "photos", TESTDATA / "tiny"

# Two stages, so that both kinds of checkpoints and of features are written.
_FIT = ["fit", "--data", PHOTOS, "--model", MODEL, "--stage", "head:epochs=3"]
_FIT += ["--stage", "block2:epochs=2,lr=1e-4", "--patience", 0, "--dropout", "0.2"]
_FIT += ["--checkpoint-every", "0s", "--quiet"]

_SWEEP = f"""data: {PHOTOS}
model: {MODEL}
epochs: 2
patience: 0
rank: val_loss
evaluate: {{resamples: 50}}
matrix:
  lr: [1e-2, 1e-3]
"""

# What a killed process may leave, as pipeline/rundir/FORMAT.md says.
_LEFTOVER = re.compile(r"\..*\.[A-Z0-9]{26}\.tmp")

# Files with times or paths in them, or with their digests, and those that depend on when a run was
# interrupted.
_VARIES = re.compile(
    r"(cache|tmp|sweep\.yaml|.*/logs|.*/(batch|config)\.json|.*/run\.sha256|.*/timing\.jsonl"
    r"|.*/report\.\w+|.*/checkpoints/previous|.*/(index|summary)\.\w+)(/.*)?"
)


@dataclass(frozen=True)
class Case:
    """A command that works in a folder."""

    name: str
    command: Callable[[Path], list[object]]
    # The command that repeats or continues its work.
    again: Callable[[Path], list[object]]
    answers: bool = False  # whether its result is what it prints
    before: Callable[[Path], list[list[object]]] = field(default=lambda folder: [])

    def prepare(self, folder: Path, template: Path) -> None:
        """Fill the folder with what the command finds; the template is a copy of it."""
        shutil.rmtree(folder, ignore_errors=True)
        if template.exists():
            shutil.copytree(template, folder, symlinks=True)
            return
        folder.mkdir(parents=True)
        (folder / "sweep.yaml").write_text(_SWEEP)
        for command in self.before(folder):
            ended = run(command, environment(folder))
            assert ended.code == 0, ended
        environment(folder)
        shutil.copytree(folder, template, symlinks=True)

    def stdout(self, folder: Path) -> Path | None:
        """Where its standard output goes."""
        return folder / "answers.csv" if self.answers else None

    def do(self, folder: Path, wrap: Sequence[object] = ()) -> Ended:
        """Run the command, by another one if wrap is given."""
        command = [*wrap, *self.command(folder)]
        return run(command, environment(folder), self.stdout(folder))

    def repeat(self, folder: Path) -> Ended:
        """Repeat or continue."""
        return run(self.again(folder), environment(folder), self.stdout(folder))


def unsound(folder: Path) -> str | None:
    """Ask tftl whether all files of the runs in a folder are what they were written as."""
    for config in sorted(folder.rglob("config.json")):
        command = [PROGRAM, "inspect", config.parent, "--verify"]
        if trouble := run(command, environment(folder)).trouble((0,)):
            return trouble
    return None


def results(folder: Path) -> dict[str, str]:
    """The digests of all files that are the same whenever a command did its work."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if _VARIES.fullmatch(name) or any(_LEFTOVER.fullmatch(part) for part in Path(name).parts):
            continue
        found[name] = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "folder"
    return found


def leftovers(folder: Path) -> list[str]:
    """Unfinished files."""
    return [str(path) for path in folder.rglob(".*.tmp")]


def _resume(begin: list[object], begun: Callable[[Path], bool]) -> Callable[[Path], list[object]]:
    def again(folder: Path) -> list[object]:
        run_folder = folder / "run"
        if begun(run_folder):
            return [PROGRAM, "fit", "--resume", run_folder, "--quiet"]
        return [PROGRAM, *begin, "--output", run_folder]

    return again


def _exists(run_folder: Path) -> bool:
    return (run_folder / "config.json").exists()


def _is_new(run_folder: Path) -> bool:
    return _exists(run_folder) and json.loads((run_folder / "config.json").read_text())["seed"] == 7


def cases() -> list[Case]:
    """All of them."""

    def fit(folder: Path) -> list[object]:
        return [PROGRAM, *_FIT, "--output", folder / "run"]

    replace = [*_FIT, "--seed", 7, "--overwrite"]

    def evaluate(folder: Path) -> list[object]:
        return [PROGRAM, "evaluate", "--model", folder / "run", "--resamples", 50, "--quiet"]

    def sweep(folder: Path) -> list[object]:
        file = folder / "sweep.yaml"
        return [PROGRAM, "run", file, "--output", folder / "runs", "--jobs", 1, "--quiet"]

    def predict(folder: Path) -> list[object]:
        command = [PROGRAM, "predict", "--model", folder / "run", PHOTOS / "red", "--csv"]
        return [*command, "--explain", folder / "explain", "--quiet"]

    def audit(folder: Path) -> list[object]:
        command = [PROGRAM, "audit", "--data", PHOTOS, "--model", MODEL, "--folds", 3, "--quiet"]
        return [*command, "--output", folder / "audit"]

    def curve(folder: Path) -> list[object]:
        command = [PROGRAM, "curve", "--data", PHOTOS, "--model", MODEL, "--seeds", 2, "--quiet"]
        return [*command, "--epochs", 5, "--output", folder / "curve"]

    def replacing(folder: Path) -> list[object]:
        return [PROGRAM, *replace, "--output", folder / "run"]

    def trained(folder: Path) -> list[list[object]]:
        return [fit(folder)]

    return [
        Case("fit", fit, _resume(_FIT, _exists)),
        Case("fit --overwrite", replacing, _resume(replace, _is_new), before=trained),
        Case("evaluate", evaluate, evaluate, before=trained),
        Case("run", sweep, sweep),
        Case("predict", predict, predict, answers=True, before=trained),
        Case("audit", audit, lambda folder: [*audit(folder), "--overwrite"]),
        Case("curve", curve, curve),
    ]
