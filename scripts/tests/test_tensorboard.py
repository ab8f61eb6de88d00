"""The event files of a run, as TensorFlow's own reader has them."""

from __future__ import annotations

import json

import numpy as np
from program import tftl
from tensorflow.python.summary.summary_iterator import summary_iterator
from test_end_to_end import photographs


def scalars(folder) -> dict[tuple[str, int], float]:
    """Values by tag and step."""
    found = {}
    for path in folder.glob("*tfevents*"):
        for event in summary_iterator(str(path)):
            for value in event.summary.value:
                assert (value.tag, event.step) not in found
                found[value.tag, event.step] = value.simple_value
    return found


def test_scalars_are_the_history(export, tmp_path):
    """Both parts' figures and the rate, and again after a resume, each once."""
    model = export("--backbone", "tiny", "--weights", "none", "--head", "gap")
    photos = photographs(tmp_path / "photos", ["ant", "bee"])
    run = tmp_path / "run"
    tftl(
        "fit", "--data", photos, "--model", model, "--output", run, "--epochs", 3, "--cache", "ram"
    )
    for _ in range(2):
        lines = (run / "history.jsonl").read_text().splitlines()
        train, validation = scalars(run / "logs/train"), scalars(run / "logs/validation")
        assert len(lines) == 3
        for epoch in map(json.loads, lines):
            number = epoch["epoch"]
            for name in ("loss", "accuracy"):
                assert train[f"epoch_{name}", number] == np.float32(epoch[name])
                assert validation[f"epoch_{name}", number] == np.float32(epoch[f"val_{name}"])
            assert train["epoch_learning_rate", number] == np.float32(epoch["lr"])
        tftl("fit", "--resume", run)
