"""Exports shared by the tests."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # as tftl has it on every processor

# KerasHub, as `make test-python` installs it.
sys.path.append(str(Path(__file__).parents[2] / "build/keras-hub"))


def pytest_configure(config: pytest.Config) -> None:
    """Ignore a warning about Keras' own code; run slow tests with `-m slow` only."""
    config.addinivalue_line("markers", "slow: takes minutes; runs with -m slow only")
    config.option.markexpr = config.option.markexpr or "not slow"
    config.addinivalue_line("filterwarnings", "ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture(scope="session")
def export(tmp_path_factory) -> Callable[..., Path]:
    """Export with these arguments once; later calls return the same folder. Do not change it."""
    from tftl_export.commands import export as command

    done: dict[tuple[str, ...], Path] = {}

    def exported(*arguments: str) -> Path:
        if arguments not in done:
            folder = tmp_path_factory.mktemp("export") / "model"
            assert command.main([*arguments, "--output", str(folder)]) == 0
            done[arguments] = folder
        return done[arguments]

    return exported


@pytest.fixture
def tiny(export) -> Callable[..., Path]:
    """Export the tiny backbone with random weights and a head of this kind."""
    return lambda head="flatten", *more: export(
        "--backbone", "tiny", "--weights", "none", "--head", head, *more
    )
