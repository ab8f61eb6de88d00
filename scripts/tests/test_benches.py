"""Each benchmark runs at toy size. Nothing is asserted of what it measures."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from program import ROOT

BENCH = ROOT / "scripts" / "bench"
TESTDATA = ROOT / "build" / "testdata"
PHOTOS = TESTDATA / "photos"


def run(script: str, *arguments: object) -> str:
    """Run a benchmark that must succeed; returns its standard output."""
    return program(sys.executable, BENCH / script, *arguments)


def program(*words: object) -> str:
    """Run any command that must succeed."""
    command = [str(word) for word in words]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
    return done.stdout


def rows(out: str) -> list[list[str]]:
    """The cells of a Markdown table, without its header."""
    lines = [line.strip("| ") for line in out.splitlines() if " | " in line]
    assert set(lines[1]) <= set("-| "), out
    return [[cell.strip() for cell in line.split("|")] for line in lines[2:]]


def precisions() -> list[str]:
    """float32, and bfloat16 on processors that have it."""
    chosen = json.loads(program(ROOT / "bin/tftl", "version", "--json"))["precision"]
    return list(dict.fromkeys(["float32", chosen]))


@pytest.fixture(scope="module")
def few(tmp_path_factory) -> Path:
    """Four photographs of each class, in train/ and val/."""
    folder = tmp_path_factory.mktemp("few")
    for label in ("blue", "red"):
        for i, file in enumerate(sorted((PHOTOS / label).iterdir())[:4]):
            to = folder / ("val" if i == 3 else "train") / label
            to.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, to)
    return folder


def test_peers():
    programs = ["tftl", "Keras", "Keras, features once"]
    toy = ["--models", TESTDATA, "--networks", "tiny", "--images", 10, "--rounds", 1, "--epochs", 1]
    found = rows(run("peers.py", PHOTOS, *toy, "--programs", *programs))
    assert [row[:3] for row in found] == [
        ["tiny", precision, name] for precision in precisions() for name in programs
    ]
    assert all(re.fullmatch(r"[0-9.]+", row[5]) for row in found)


def test_evaluation():
    toy = ["--model", TESTDATA / "tiny", "--images", 10, "--rounds", 1]
    found = rows(run("evaluation.py", PHOTOS, *toy))
    assert [row[0] for row in found] == ["tftl", "Keras"]
    assert re.fullmatch(r"[0-9.]+", found[1][2])


def test_scale(tmp_path):
    found = rows(run("scale.py", 300, 400, "--images", tmp_path))
    commands = ["inspect", "split", "fit, empty cache", "fit, all in the cache", "evaluate"]
    commands += ["predict", "audit", "curve", "evaluate, with abstention", "evaluate, many classes"]
    assert [row[:2] for row in found] == [
        [command, size] for command in commands for size in ("300", "400")
    ]


def test_article(few):
    programs = ["Keras", "tftl"]
    found = rows(run("article.py", few, "--model", TESTDATA / "tiny", "--programs", *programs))
    assert [row[0] for row in found] == [
        f"{program} {precision}" for program in programs for precision in precisions()
    ]


def test_steps_and_frozen():
    about = ["-data", PHOTOS, "-model", TESTDATA / "tiny"]
    out = program(ROOT / "bin/steps", *about, "-steps", "30")
    assert re.search(r"of which [0-9.-]+% outside TensorFlow's calls", out), out
    out = program(ROOT / "bin/frozen", *about, "-rounds", "1", "-batch-size", "4")
    assert "one after the other" in out


def test_memory():
    out = run(
        "memory.py", "--data", PHOTOS, "--model", TESTDATA / "tiny", "--first", 10, "--last", 20
    )
    assert re.search(r"^ratio [0-9.]+$", out, re.MULTILINE), out


def test_input_and_pillow(few):
    assert "tftl relative to tf.data" in run("input.py", few / "train", "--rounds", 1)
    assert "bilinear and bilinear" in run("pillow.py", few, "--limit", 2)


def test_processors():
    out = run("processors.py", "--data", PHOTOS, "--models", TESTDATA, "tiny")
    assert len(re.findall(r"^tiny \| [0-9]", out, re.MULTILINE)) == 2


def test_recipe():
    sides = ["--without=--lr 1e-2", "--with=--lr 1e-3", "--both=--epochs 1", "--seeds", 2]
    out = run("recipe.py", PHOTOS, "--model", TESTDATA / "tiny", *sides)
    assert len(out.splitlines()) == 1 and " | " in out


def test_intervals():
    small = ["-sets", 5, "-samples", 100, "-resamples", 20, "-truth", 1000]
    assert "accuracy" in program("go", "run", ROOT / "scripts/bench/coverage", *small)


def test_curve(tmp_path):
    toy = ["--repetitions", 1, "--options=--epochs 1", "--save", tmp_path / "trials.jsonl"]
    ((name, images, *_),) = rows(run("curve.py", TESTDATA / "tiny", PHOTOS, *toy))
    assert name == "photos" and re.fullmatch(r"[0-9]+, [0-9]+", images)
    assert json.loads((tmp_path / "trials.jsonl").read_text())["verdict"]


def test_cluster(tmp_path):
    saved, curve = tmp_path / "measured.json", tmp_path / "curve.svg"
    toy = ["--model", TESTDATA / "tiny", "--rounds", 1, "--batch", 2, "--images", 12, "--units", 8]
    toy += ["--widths", 8, "--examples", 1, 2, "--stages", "head", "--processes", 1, 2]
    out = run("cluster.py", PHOTOS, *toy, "--save", saved, "--svg", curve)
    assert re.search(r"^\| frozen pass \| 2 \|", out, re.MULTILINE), out
    assert curve.read_text().startswith("<svg")
    # What was measured can be read again, and says the same.
    assert run("cluster.py", "--measured", saved) == out


def test_int8():
    toy = ["--models", TESTDATA, "--images", 4, "--batch", 2]
    out = run("int8.py", PHOTOS, "quantized", *toy)
    assert re.search(r"^\| quantized \| [0-9]+% \|", out, re.MULTILINE), out
    assert re.search(r"^\| quantized \| from_middle \| 0\.0", out, re.MULTILINE), out


def test_abstain_measures_promises():
    rows_of = run(
        "abstain.py",
        "--rounds",
        2,
        "--truth",
        500,
        "--folds",
        2,
        "--model",
        TESTDATA / "tiny-gap",
        PHOTOS,
    )
    assert "photos" in rows_of
    assert "have the true class" in rows_of


def test_onnx_files():
    toy = ["--networks", "tiny", "--models", TESTDATA, "--batch", 2]
    ((network, weights, exact, pillow, *others),) = rows(run("onnx_files.py", PHOTOS, *toy))
    assert (network, weights) == ("tiny", "random")
    assert float(exact) <= 1e-5 and 0 <= float(pillow) <= 1
    assert [len(cell.split(", ")) for cell in others] == [1, 1, 4, 3, 4]


def test_serving():
    found = rows(run("serving.py", PHOTOS, TESTDATA / "tiny-gap", "--images", 2000))
    ways = ["TensorFlow Lite", "onnxruntime", "the Go service"]
    assert [way for way, _ in found] == [
        "tftl predict, float32",
        *(f"{way}, {precision}" for precision in ("float32", "int8") for way in ways),
    ]
    assert all(float(speed) > 0 for _, speed in found)
