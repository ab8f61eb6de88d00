"""The commands that `pip install tftl` installs: the program, the exporter and the converter.

They use the TensorFlow that is installed beside them: the exporter its Python packages, the
program its C library. Only what the program needs to start is imported here, because it waits.
"""

from __future__ import annotations

import os
import sys

TENSORFLOW = "2.21.0"  # what the wheel depends on; other releases of 2.21 work too
_PROGRAM = os.path.join(os.path.dirname(__file__), "bin", "tftl")
_LIBRARY = "libtensorflow_cc.so.2"


def program() -> None:
    """Become the program, in this process and with its arguments."""
    import signal

    folder = _tensorflow("tftl")
    # Where the program looks by itself; the two can be in different places if one was linked.
    beside = os.path.join(os.path.dirname(os.path.realpath(_PROGRAM)), "../../tensorflow")
    if not os.path.exists(beside) or not os.path.samefile(beside, folder):
        paths = [folder, os.environ.get("LD_LIBRARY_PATH")]
        os.environ["LD_LIBRARY_PATH"] = os.pathsep.join(filter(None, paths))
    for ignored in (signal.SIGPIPE, signal.SIGXFSZ):  # by Python; the program would inherit it
        signal.signal(ignored, signal.SIG_DFL)
    os.execv(_PROGRAM, ["tftl", *sys.argv[1:]])


def export() -> int:
    """Run the exporter; returns the exit code."""
    _tensorflow("tftl-export")
    from tftl_export import start

    return start.export()


def convert() -> int:
    """Run the converter; returns the exit code."""
    _tensorflow("tftl-convert")
    from tftl_export import start

    return start.convert()


def _tensorflow(command: str) -> str:
    """The folder of the TensorFlow that Python would import; exits unless it is the right one."""
    release = TENSORFLOW.rpartition(".")[0]
    for place in sys.path:
        folder = os.path.join(place, "tensorflow")
        if os.path.isfile(os.path.join(folder, _LIBRARY)):
            versions = _versions(place)
            if not versions or any(v.startswith(f"{release}.") for v in versions):
                return folder
            found = f"{' and '.join(versions)} is installed in {place}"
            break
    else:
        found = f"none is installed for {sys.executable}"
    sys.exit(
        f"{command}: needs TensorFlow {release}, but {found}\n"
        f"hint: {sys.executable} -m pip install tensorflow=={TENSORFLOW}"
    )


def _versions(place: str) -> list[str]:
    """The versions of TensorFlow's packages in a folder, from names like NAME-VERSION.dist-info."""
    versions = []
    for entry in os.listdir(place or "."):
        name, _, version = entry.removesuffix(".dist-info").partition("-")
        if version and entry.endswith(".dist-info") and name in ("tensorflow", "tensorflow_cpu"):
            versions.append(version)
    return versions
