#!/usr/bin/env python3
"""Make phash.json: small grey pictures, their pHash by SciPy's DCT, their correlation by NumPy."""

import base64
import json
from pathlib import Path

import numpy as np
from scipy.fft import dctn


def main() -> None:
    """Noise, a ramp with noise, and a disc."""
    random = np.random.default_rng(0)
    y, x = np.mgrid[:32, :32]
    pictures = [
        random.integers(0, 256, (32, 32)),
        4 * x + 3 * y + random.integers(0, 30, (32, 32)),
        np.where((x - 12) ** 2 + (y - 19) ** 2 < 90, 40, 250) + random.integers(0, 5, (32, 32)),
    ]
    cases = []
    for grey in pictures:
        low = dctn(grey.astype(float), norm="ortho")[:8, :8].ravel()[1:]
        bits = low > np.median(low)
        cases.append(
            {
                "grey": base64.b64encode(grey.astype(np.uint8).tobytes()).decode(),
                "hash": f"{sum(1 << i for i, bit in enumerate(bits) if bit):016x}",
                "correlation": [
                    float(np.corrcoef(grey.ravel(), g.ravel())[0, 1]) for g in pictures
                ],
            }
        )
    (Path(__file__).parent / "phash.json").write_text(json.dumps(cases, indent=1) + "\n")


if __name__ == "__main__":
    main()
