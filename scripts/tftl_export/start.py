"""Starts a command with the arguments of this process, and imports TensorFlow quietly."""

from __future__ import annotations

import os
import sys

from . import quiet


def export() -> int:
    """Run the exporter; returns the exit code."""
    with quiet.imports():
        from .commands import export as command
    return command.main(sys.argv[1:], os.path.basename(sys.argv[0]))


def convert() -> int:
    """Run the converter; returns the exit code."""
    with quiet.imports():
        from .commands import convert as command
    return command.main(sys.argv[1:], os.path.basename(sys.argv[0]))
