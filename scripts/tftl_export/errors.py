"""The error that the commands print as one line, and how they print any other."""

from __future__ import annotations

import tensorflow as tf


class ScriptError(Exception):
    """Something the user can fix: one line, and a hint on a second line if there is one."""


def message(error: Exception) -> str:
    """What to print of an error: one line, and the hint that a ScriptError may have below it."""
    if isinstance(error, tf.errors.OpError):
        return error.message.strip().partition("\n")[0]
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)


def first_line(error: Exception) -> str:
    """The first line of an exception's message; Keras writes pages."""
    return (str(error).strip() or repr(error)).partition("\n")[0]
