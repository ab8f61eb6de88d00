"""The event files of a run, read by TensorBoard's own reader."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from program import tftl
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from test_end_to_end import photographs


def scalars(folder) -> dict[str, dict[int, float]]:
    """Values by tag and step; each occurs once."""
    reader = EventAccumulator(str(folder), size_guidance={"scalars": 0}).Reload()
    found = {}
    for tag in reader.Tags()["scalars"]:
        events = reader.Scalars(tag)
        found[tag] = {event.step: event.value for event in events}
        assert len(found[tag]) == len(events)
    return found


def test_scalars_are_the_history(export, tmp_path):
    """The metrics of both parts and the learning rate, also after a resume."""
    model = export("--backbone", "tiny", "--weights", "none", "--head", "gap")
    photos = photographs(tmp_path / "photos", ["ant", "bee"])
    run = tmp_path / "run"
    tftl(
        "fit", "--data", photos, "--model", model, "--output", run, "--epochs", 3, "--cache", "ram"
    )
    for _ in range(2):
        history = [json.loads(line) for line in (run / "history.jsonl").read_text().splitlines()]
        assert [epoch["epoch"] for epoch in history] == [1, 2, 3]
        train, validation = scalars(run / "logs/train"), scalars(run / "logs/validation")
        for part, prefix in (train, ""), (validation, "val_"):
            for name in "loss", "accuracy":
                assert part[f"epoch_{name}"] == column(history, prefix + name)
        assert train["epoch_learning_rate"] == column(history, "lr")
        tftl("fit", "--resume", run)


def column(history: list[dict[str, Any]], name: str) -> dict[int, float]:
    """A metric of the history by epoch, in float32 as in an event file."""
    return {epoch["epoch"]: float(np.float32(epoch[name])) for epoch in history}
