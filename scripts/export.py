#!/usr/bin/env python3
"""Export a Keras network with a trainable head as a SavedModel that tftl can train."""

from __future__ import annotations

import sys

from tftl_export import quiet

if __name__ == "__main__":
    with quiet.imports():
        from tftl_export.commands import export
    sys.exit(export.main(sys.argv[1:], __doc__))
