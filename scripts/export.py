#!/usr/bin/env python3
"""Export a Keras network with a trainable head as a SavedModel that carries its training steps."""

from __future__ import annotations

import sys

from tftl_export import quiet

if __name__ == "__main__":
    with quiet.imports():
        from tftl_export import cli
    sys.exit(cli.main(sys.argv[1:], __doc__))
