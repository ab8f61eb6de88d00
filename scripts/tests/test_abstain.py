"""Abstention and prediction sets against SciPy, NumPy and what TensorFlow Serving would answer."""

from __future__ import annotations

import csv
import json
import math
import re
import shutil
import subprocess
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from program import ROOT, fails, tftl
from scipy import stats

DATA = ROOT / "build" / "testdata"
NO_CACHE = ("--cache", "off")


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(text.splitlines()))


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Photographs of two colours, of which every fifth is in the wrong folder."""
    folder = tmp_path_factory.mktemp("data") / "photos"
    shutil.copytree(DATA / "photos", folder)
    for i in range(0, 40, 5):
        red, blue = folder / f"red/red-{i:02}.jpg", folder / f"blue/blue-{i:02}.jpg"
        red.rename(folder / f"blue/was-red-{i:02}.jpg")
        blue.rename(folder / f"red/was-blue-{i:02}.jpg")
    return folder


@pytest.fixture(scope="module")
def trained(photos, tmp_path_factory):
    """A run with many validation images."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    tftl(
        *("fit", "--data", photos, "--model", DATA / "tiny", "--epochs", 3, "--lr", "1e-3"),
        *("--split", "0.3,0.5,0.2", "--precision", "float32", "--output", folder, *NO_CACHE),
    )
    return folder


@pytest.fixture
def run(trained, tmp_path):
    """A copy of it."""
    return shutil.copytree(trained, tmp_path / "run")


def evaluate(run, *arguments: object) -> dict[str, Any]:
    return json.loads(tftl("evaluate", "--model", run, "--json", *arguments, *NO_CACHE))


def validation(run, *arguments: object) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities and labels of the validation part, from the answers to its images."""
    config = json.loads((run / "config.json").read_text())
    place = config["data"]["path"]
    images = [r for r in rows((run / "data.csv").read_text()) if r["split"] == "val"]
    paths = [f"{place}/{r['path']}" for r in images]
    answers = rows(tftl("predict", "--model", run, "--precision", "float32", "--csv", *paths))
    columns = [name for name in answers[0] if name.startswith("p(")]
    classes = [name[2:-1] for name in columns]
    p = np.array([[np.float32(a[c]) for c in columns] for a in answers])
    return p, np.array([classes.index(r["label"]) for r in images])


def test_a_promised_coverage_is_scipys(run):
    p, _ = validation(run)
    evaluate(run, "--abstain", "coverage=0.7", "--precision", "float32")
    decision = json.loads((run / "decision.json").read_text())
    rank = int(stats.binom.ppf(0.95, len(p), 0.7)) + 1
    want = np.sort(p.max(1))[::-1][rank - 1]
    assert decision["confidence"] == pytest.approx(want, abs=1e-6)


def test_the_smallest_risk_is_scipys(run):
    p, labels = validation(run)
    wrong, confidence = p.argmax(1) != labels, p.max(1)
    n = len(p)
    shares = (0.975, 0.95, 0.925, 0.9, 0.85, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3)
    sizes = {int(s * n) for s in shares} - {0, n}
    bounds = [stats.beta.ppf(0.975, wrong.sum() + 1, n - wrong.sum())]
    for k in sizes:
        above = confidence > np.sort(confidence)[::-1][k]
        m, e = above.sum(), wrong[above].sum()
        bounds.append(stats.beta.ppf(1 - 0.025 / len(sizes), e + 1, m - e) if m > e else 1)
    said = fails(3, "evaluate", "--model", run, "--abstain", "risk=0.001", *NO_CACHE)
    (least,) = re.findall(r"smallest risk .* can promise is ([\d.]+)", said)
    assert float(least) == pytest.approx(min(bounds), abs=0.002)


def test_prediction_sets_are_numpys(run):
    p, labels = validation(run)
    scores = 1 - p[np.arange(len(p)), labels]
    rank = math.ceil((len(p) + 1) * 0.9)
    q = np.sort(scores)[rank - 1]
    got = evaluate(run, "--conformal", "0.9", "--precision", "float32")
    table = rows((run / "predictions.csv").read_text())
    columns = [name for name in table[0] if name.startswith("p(")]
    p = np.array([[float(r[c]) for c in columns] for r in table])
    sets = 1 - p <= q + 1e-6
    sets[np.arange(len(p)), p.argmax(1)] = True
    truth = np.array([columns.index(f"p({r['label']})") for r in table])
    assert got["set_size"] == pytest.approx(sets.sum(1).mean())
    assert got["set_coverage"] == pytest.approx(sets[np.arange(len(p)), truth].mean())
    answers = tftl("predict", "--model", run, "--json", run.parent, DATA / "photos")
    names = [name[2:-1] for name in columns]
    for answer in map(json.loads, answers.splitlines()):
        likely = [c for c in names if 1 - answer["probabilities"][c] <= q + 1e-6]
        assert set(answer["set"]) == {*likely, answer["predicted"]}


DECISIONS = [
    ("--abstain", "coverage=0.5"),
    ("--abstain", "coverage=0.5", "--temperature", "0.3"),
    ("--abstain", "coverage=0.5", "--threshold", "0.45"),
    ("--abstain", "coverage=0.5", "--threshold", "0.51", "--temperature", "2"),
    ("--abstain", "risk=0.7"),
]


@pytest.mark.parametrize("decision", DECISIONS, ids=lambda d: " ".join(d[1::2]))
def test_the_served_model_accepts_what_predict_answers(run, decision):
    evaluate(run, *decision)
    confidence = json.loads((run / "decision.json").read_text())["confidence"]
    files = sorted((DATA / "photos").rglob("*.jpg"))
    answers = rows(tftl("predict", "--model", run, "--precision", "float32", "--csv", *files))
    want = np.array([a["accepted"] == "true" for a in answers])
    assert all((a["unsure"] == "") == w for a, w in zip(answers, want, strict=True))
    served = tf.saved_model.load(str(run / "model"))
    encoded = tf.constant([file.read_bytes() for file in files])
    for _ in range(2):  # and after a copy, as TensorFlow Serving has it
        got = served.signatures["serving_bytes"](bytes=encoded)["accepted"].numpy()
        assert got.dtype == bool
        differs = [
            float(a["probability"]) for a, g, w in zip(answers, got, want, strict=True) if g != w
        ]
        if "--threshold" not in decision:  # only rounding may decide otherwise
            np.testing.assert_allclose(differs, confidence, rtol=0, atol=1e-5)
        assert len(differs) <= 1
        served = tf.saved_model.load(
            str(shutil.copytree(run / "model", run / "1", dirs_exist_ok=True))
        )
    if decision[1].startswith("coverage"):
        assert 0 < want.sum() < len(want)
    subprocess.run(
        ["sha256sum", "--check", "--quiet", "assets.extra/SHA256SUMS"],
        cwd=run / "model",
        check=True,
    )


def test_without_abstention_the_served_model_accepts_everything(run):
    for arguments in [(), ("--abstain", "coverage=0.5"), ("--abstain", "off")]:
        evaluate(run, *arguments)
    served = tf.saved_model.load(str(run / "model"))
    image = tf.constant([(DATA / "photos/red/red-00.jpg").read_bytes()])
    assert served.signatures["serving_bytes"](bytes=image)["accepted"].numpy().all()
