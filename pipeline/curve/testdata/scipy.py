"""Write scipy.json beside this file: errors of heads, and the law that SciPy fits to them.

The errors are those of a known law with little noise, so the fit by least squares and the mean over
all laws that agree with the errors must come to the same. Run it again after changing a case:
python scipy.py
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.pop(0)  # this folder, or the script would import itself as scipy

import numpy as np
from scipy.optimize import curve_fit

SIZES = (50, 87, 152, 264, 460, 800)
SEEDS = 5
VALIDATION = 20_000
LAWS = ((0.05, 1.0, 0.5), (0.0, 0.5, 0.3), (0.1, 4.0, 0.8), (0.2, 0.5, 0.2), (0.08, 10.0, 1.1))


def law(n, a, b, c):
    """Hestness et al.'s, with the floor of Rosenfeld et al."""
    return a + b * np.power(n, -c)


def case(truth: tuple[float, float, float], seed: int) -> dict:
    """The errors of one law, as numbers of validation images, and what is fitted to them."""
    random = np.random.default_rng(seed)
    n = np.repeat(SIZES, SEEDS)
    wrong = random.binomial(VALIDATION, law(n, *truth))
    (a, b, c), _ = curve_fit(
        law, n, wrong / VALIDATION, p0=(0.05, 1, 0.5), bounds=((0, 0, 0.1), (1, 50, 1.6))
    )
    return {
        "truth": [float(v) for v in truth],
        "images": n.tolist(),
        "wrong": wrong.tolist(),
        "fitted": {str(k): float(law(k, a, b, c)) for k in (800, 1600, 3200)},
    }


def main() -> None:
    """Write the file."""
    cases = [case(truth, seed) for seed, truth in enumerate(LAWS)]
    document = {"validation": VALIDATION, "seeds": SEEDS, "cases": cases}
    Path(__file__).with_suffix(".json").write_text(json.dumps(document) + "\n")


if __name__ == "__main__":
    main()
