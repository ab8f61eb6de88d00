"""Write abstain.json beside this file: what SciPy and NumPy choose on simulated samples.

Bounds are the beta distribution's, the form in which Clopper and Pearson's are usually written.
Ranks of a promised coverage are SciPy's binomial quantiles. The probability that makes sets is
the quantile of the scores 1 - p, as in Angelopoulos and Bates (2021).
Run it again after changing a case: python abstain.py
"""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
from scipy import stats

DOUBT = 0.05
SHARES = (0.975, 0.95, 0.925, 0.9, 0.85, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3)
PARTS = 4096  # probabilities are multiples of 1 over it


def upper(wrong: int, n: int, doubt: float) -> float:
    """Clopper and Pearson's one-sided upper bound."""
    return 1.0 if wrong == n else float(stats.beta.ppf(1 - doubt, wrong + 1, n - wrong))


def bounds() -> list:
    """Mistakes, samples, doubt and the bound."""
    pairs = [(0, 1), (1, 1), (0, 11), (0, 149), (3, 100), (19, 20), (250, 10000), (9000, 20000)]
    return [[k, n, d, upper(k, n, d)] for k, n in pairs for d in (0.05, 0.025, 0.001)]


def candidates(confidence, wrong) -> list:
    """The answered samples, their mistakes, and the bound of each set of the most confident."""
    n = len(confidence)
    ranked = np.sort(confidence)[::-1]
    sizes = sorted({int(s * n) for s in SHARES} - {0, n})
    found = [(n, int(wrong.sum()), upper(int(wrong.sum()), n, DOUBT / 2))]
    for k in sizes:
        above = confidence > ranked[k]
        if above.any():
            m, e = int(above.sum()), int(wrong[above].sum())
            found.append((m, e, upper(e, m, DOUBT / 2 / len(sizes))))
    return found


def covered(confidence, coverage: float) -> int:
    """How many are answered so that this coverage is likely."""
    n = len(confidence)
    rank = int(stats.binom.ppf(1 - DOUBT, n, coverage)) + 1
    return n if rank > n else int((confidence >= np.sort(confidence)[::-1][rank - 1]).sum())


def case(rng, n: int, classes: int, skill: float, parts: int) -> dict:
    """One validation part and what is chosen on it."""
    labels = rng.integers(0, classes, n)
    logits = rng.normal(size=(n, classes))
    logits[np.arange(n), labels] += skill
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    p = np.round(p * parts) * (PARTS // parts)
    confidence, wrong = p.max(1), p.argmax(1) != labels
    risks = []
    for risk in (0.01, 0.05, 0.2):
        kept = [c for c in candidates(confidence, wrong) if c[2] <= risk]
        risks.append([risk, *(max(kept)[:2] if kept else (0, 0))])
    sets = []
    for level in (0.5, 0.9, 0.95):
        rank = math.ceil(round((n + 1) * level, 9))
        if rank <= n:
            scores = PARTS - p[np.arange(n), labels]
            most = np.partition(scores, rank - 1)[rank - 1]
            sets.append([level, int(PARTS - most)])
    return {
        "labels": labels.tolist(),
        "probabilities": p.astype(int).tolist(),
        "risks": risks,
        "coverages": [[c, covered(confidence, c)] for c in (0.5, 0.9, 1.0)],
        "sets": sets,
        "least": min(c[2] for c in candidates(confidence, wrong)),
    }


def main() -> None:
    """Write every case, one per line."""
    rng = np.random.default_rng(1)
    cases = [
        case(rng, n, classes, skill, parts)
        for n in (1, 5, 11, 60, 300)
        for classes in (2, 4)
        for skill in (0, 2, 6)
        for parts in (PARTS, 8)
    ]
    text = ",\n".join(json.dumps(c, separators=(",", ":")) for c in cases)
    path = Path(__file__).with_suffix(".json")
    path.write_text(f'{{"cases":[\n{text}\n],\n"bounds":{json.dumps(bounds())}}}\n')


if __name__ == "__main__":
    main()
