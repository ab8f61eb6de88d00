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
    # The program does not look there by itself: it would look beside an archive's folder too,
    # where anybody may put libraries.
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
    release, wanted = TENSORFLOW.rpartition(".")[0], "tensorflow"
    found = f"none is installed for {sys.executable}"
    for place in sys.path:
        folder = os.path.join(place, "tensorflow")
        if os.path.isfile(os.path.join(folder, _LIBRARY)):
            builds = _builds(place)
            if not builds or any(version.startswith(f"{release}.") for _, version in builds):
                return folder
            wanted, version = builds[0]
            found = f"{version} is installed in {place}"
            break
    sys.exit(
        f"{command}: needs TensorFlow {release}, but {found}\n"
        f"hint: {sys.executable} -m pip install {wanted}=={TENSORFLOW}"
    )


def _builds(place: str) -> list[tuple[str, str]]:
    """The packages of TensorFlow in a folder, and their versions."""
    builds = []
    for entry in os.listdir(place or "."):
        name, _, version = entry.removesuffix(".dist-info").partition("-")
        if name in ("tensorflow", "tensorflow_cpu") and entry.endswith(".dist-info"):
            builds.append((name.replace("_", "-"), version))
    return builds
