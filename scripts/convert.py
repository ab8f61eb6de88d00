#!/usr/bin/env python3
"""Convert a trained model to TensorFlow Lite: float32, float16 and dynamic int8.

Each file is run in TensorFlow Lite's own runtime and compared with the SavedModel, on the run's
test images or on others.
"""

from __future__ import annotations

import sys

from tftl_export import quiet

if __name__ == "__main__":
    with quiet.imports():
        from tftl_export.commands import convert
    sys.exit(convert.main(sys.argv[1:], __doc__))
