"""Imports TensorFlow without its log messages."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator


@contextlib.contextmanager
def imports() -> Iterator[None]:
    """Keep TensorFlow's log off stderr, unless TF_CPP_MIN_LOG_LEVEL is set.

    TensorFlow's libraries write to file descriptor 2 while they load, before they read that
    variable, so the descriptor points to /dev/null until then. A failed import still shows its
    traceback.
    """
    if "TF_CPP_MIN_LOG_LEVEL" in os.environ:
        yield
        return
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    stderr, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(nowhere)
