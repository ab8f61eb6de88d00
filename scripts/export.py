#!/usr/bin/env python3
"""Exports a Keras network: `tftl-export` from a checkout, without installing it."""

from __future__ import annotations

import sys

from tftl_export import start

if __name__ == "__main__":
    sys.exit(start.export())
