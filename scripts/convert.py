#!/usr/bin/env python3
"""Converts a trained model to TensorFlow Lite or ONNX: `tftl-convert` from a checkout."""

from __future__ import annotations

import sys

from tftl_export import start

if __name__ == "__main__":
    sys.exit(start.convert())
