#!/usr/bin/env python3
"""Exports a network with random weights, for benchmarks.

TensorFlow leaves out what adds zero. So no bias and no mean is zero here, as in trained networks,
but unlike in new ones.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from tftl_export import contract  # noqa: E402
from tftl_export.backbones.build import build_backbone  # noqa: E402
from tftl_export.backbones.table import BACKBONES  # noqa: E402
from tftl_export.graph.head import Head, HeadKind  # noqa: E402
from tftl_export.graph.images import Input  # noqa: E402
from tftl_export.graph.network import Network  # noqa: E402


def main() -> None:
    """Export the network NAME to FOLDER with the head `gap`."""
    name, folder = sys.argv[1:]
    known = BACKBONES[name]
    base, origin = build_backbone(name, known.size, "none", 0)
    random = np.random.default_rng(0)
    for weight in base.weights:
        if len(weight.shape) == 1:
            around = 1.0 if weight.path.endswith(("gamma", "variance")) else 0.0
            weight.assign(random.uniform(around - 0.1, around + 0.1, weight.shape))
    image = Input((known.size, known.size), "bilinear", known.preprocess)
    network = Network(base, known.cuts, image)
    head = Head(HeadKind("gap", 0), network.feature_shape)
    contract.export(folder, network, head, contract.About(name, origin))


if __name__ == "__main__":
    main()
