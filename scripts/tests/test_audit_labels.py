"""scripts/bench/audit_labels.py with a program in the place of tftl that writes its files."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from program import ROOT

SCRIPT = ROOT / "scripts" / "bench" / "audit_labels.py"

# Knows each image's class from its folder, and so which labels were flipped. It finds all of them
# but leaves out the last of the manifest, and takes the first image for one, with the lowest score.
PROGRAM = """
import csv, sys
from pathlib import Path
at = dict(zip(sys.argv[2::], sys.argv[3::]))
images = list(csv.DictReader(open(at["--data"])))
out = Path(at["--output"])
out.mkdir(exist_ok=True)
wrong = [i for i in images if Path(i["path"]).parent.name != i["label"]][:-1]
first = [images[0]] if images[0] not in wrong else []
rows = [(i["path"], "label-error", s) for s, i in zip([0.1] + [0.9] * 99, first + wrong)]
rows.append((images[1]["path"], "outlier", 1))
csv.writer(open(out / "audit.csv", "w")).writerows([("image", "kind", "score"), *rows])
rows = [("image", "label", "blue", "red")]
for i in images:
    blue = "/blue/" in i["path"]
    rows.append((i["path"], i["label"], int(blue), int(not blue)))
csv.writer(open(out / "probabilities.csv", "w")).writerows(rows)
print("{}")
"""

# Stands in for cleanlab.filter: what belongs to another class by its probability.
CLEANLAB = """
def find_label_issues(labels, probabilities, filter_by, return_indices_ranked_by, n_jobs):
    return [i for i, l in enumerate(labels) if probabilities[i].argmax() != l]
"""


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Twenty files of two classes."""
    for label in ("blue", "red"):
        folder = tmp_path / "photos" / label
        folder.mkdir(parents=True)
        for i in range(10):
            (folder / f"{label}-{i}.jpg").touch()
    return tmp_path / "photos"


def run(tmp_path: Path, photos: Path, *more: object) -> subprocess.CompletedProcess[str]:
    program = tmp_path / "tftl"
    program.write_text(f"#!{sys.executable}\n{PROGRAM}")
    program.chmod(0o755)
    words = [SCRIPT, photos, "--model", "unused", "--program", program, "--rates", "0.2"]
    command = [sys.executable, *map(str, [*words, "--seeds", "3", *more])]
    return subprocess.run(command, capture_output=True, text=True)


def test_precision_and_recall(tmp_path, photos):
    done = run(tmp_path, photos)
    assert done.returncode == 0, done.stderr
    cells = [c.strip() for c in done.stdout.strip().splitlines()[-1].strip("|").split("|")]
    assert cells[:2] == ["20% of 20", "tftl"]
    # Of four flipped labels three are found; the fourth finding is wrong, or lacks if the first
    # image was itself flipped.
    assert cells[3] == cells[6] == "0.75"
    assert 0.75 <= float(cells[2]) <= 1 and 3 <= float(cells[4]) <= 4
    flipped = re.findall(r"seed \d, tftl: \(.*\)", done.stderr)
    assert len(flipped) == 3


def test_cleanlab_on_the_same_probabilities(tmp_path, photos, monkeypatch):
    package = tmp_path / "cleanlab"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "filter.py").write_text(CLEANLAB)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    done = run(tmp_path, photos, "--cleanlab", sys.executable)
    assert done.returncode == 0, done.stderr
    *_, tftl, cleanlab, other, _, last = done.stdout.strip().splitlines()
    assert "| tftl |" in tftl and "| cleanlab, confident_learning |" in other
    assert cleanlab.endswith("| cleanlab | 1.00 | 1.00 | 4.0 | 1.00 | 1.00 |")
    assert last.startswith("The same images as cleanlab in 0 of 3 audits; at most ")


def test_a_model_is_needed(photos):
    done = subprocess.run([sys.executable, SCRIPT, photos], capture_output=True, text=True)
    assert done.returncode == 2 and "--model is missing" in done.stderr
