"""What tftl curve says is what SciPy says of the same heads, and of the same intervals."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from PIL import Image
from program import ROOT, tftl
from scipy.optimize import curve_fit
from scipy.stats import binomtest

MODEL = ROOT / "build" / "testdata" / "tiny"


@pytest.fixture(scope="module")
def colours(tmp_path_factory):
    """Images of two classes that differ in how red they are, with much overlap."""
    folder = tmp_path_factory.mktemp("colours")
    random = np.random.default_rng(4)
    for part, n in (("train", 240), ("val", 300)):
        for label in (0, 1):
            to = folder / part / ("paler", "redder")[label]
            to.mkdir(parents=True)
            for i in range(n // 2):
                mean = random.normal((110 + 30 * label, 120, 120), (25, 40, 40))
                pixels = np.clip(random.normal(mean, 20, (32, 32, 3)), 0, 255).astype(np.uint8)
                Image.fromarray(pixels).save(to / f"{i}.png")
    return folder


def test_the_curve_is_what_curve_fit_finds(colours, tmp_path):
    options = ["--data", colours, "--model", MODEL, "--seeds", 8, "--lr", 0.01]
    found = json.loads(tftl("curve", *options, "--output", tmp_path, "--json"))
    assert found["training_images"] == 240 and found["validation_images"] == 300
    with (tmp_path / "curve.csv").open() as file:
        rows = list(csv.DictReader(file))
    sizes = np.array([int(row["images"]) for row in rows])
    errors = 1 - np.array([float(row["val_accuracy"]) for row in rows])
    assert len(rows) == 8 * len(set(sizes)) and len(set(sizes)) >= 5
    assert errors[sizes == sizes.min()].mean() > errors[sizes == 240].mean()
    # The mean of the seeds, weighed by its standard error, as one would do it in Python.
    at = np.unique(sizes)
    means = np.array([errors[sizes == n].mean() for n in at])
    deviations = np.array([errors[sizes == n].std(ddof=1) for n in at]).clip(0.002)
    power = lambda n, a, b, c: a + b * np.power(n / 240.0, -c)  # noqa: E731
    fitted, _ = curve_fit(
        power, at, means, p0=(0.1, 0.1, 0.5), sigma=deviations, bounds=((0, 0, 0.1), (1, 1, 1.6))
    )
    for value in [found["now"], *found["expected"]]:
        want = 1 - power(value["images"], *fitted)
        lower, upper = value["here"]
        assert lower <= want <= upper
        assert abs(value["value"] - want) < 0.03
        assert value["in_general"][0] <= lower <= upper <= value["in_general"][1]


@pytest.mark.parametrize(("accuracy", "width"), [(0.5, 0.05), (0.9, 0.02), (0.96, 0.05), (1, 0.1)])
def test_the_test_part_has_the_size_of_wilsons_interval(accuracy, width):
    found = json.loads(tftl("curve", "--accuracy", accuracy, "--width", width, "--json"))
    images = found["accuracy"]["images"]

    def wide(n: int) -> float:
        """Of about as many images, so that a whole number of them is right."""
        n = round(n / 50) * 50 if accuracy < 1 else n
        interval = binomtest(round(accuracy * n), n).proportion_ci(method="wilson")
        return interval.high - interval.low

    assert wide(images) == pytest.approx(width, rel=0.03)
    assert wide(2 * images) < width < wide(images // 2)
