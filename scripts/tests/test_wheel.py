"""The wheel: what is in it, and what its commands do where it is installed."""

from __future__ import annotations

import base64
import csv
import hashlib
import os
import re
import signal
import subprocess
import sys
import sysconfig
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest
from program import ROOT
from test_imports import imports

import tftl
from dist import wheel as packing

PROGRAM = ROOT / "bin" / "tftl"
VERSION = "1.2"
# Stands in for the program: prints what it was given.
SCRIPT = """#!/bin/sh
printf '%s\\n' "$@" "LD_LIBRARY_PATH=$LD_LIBRARY_PATH" "$(grep SigIgn /proc/self/status)"
exit 7
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    assert PROGRAM.exists(), f"{PROGRAM} is missing: make build"
    return packing.build(PROGRAM, VERSION, tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def environment(wheel, tmp_path_factory) -> Path:
    """An environment with the wheel installed that also sees this Python's packages."""
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    site(folder).joinpath("more.pth").write_text(sysconfig.get_path("platlib"))
    pip = [folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*pip, "--disable-pip-version-check", wheel], check=True)
    return folder


@pytest.fixture
def standin(environment):
    """Put a script in the place of the installed program."""
    program = site(environment) / "tftl" / "bin" / "tftl"
    content = program.read_bytes()
    program.write_text(SCRIPT)
    yield environment
    program.write_bytes(content)


def site(environment: Path) -> Path:
    (folder,) = environment.glob("lib/python3.*/site-packages")
    return folder


def run(*command: object, **more: str) -> subprocess.CompletedProcess[str]:
    ours = ("LD_LIBRARY_PATH", "PYTHONPATH", "TF_CPP_MIN_LOG_LEVEL")
    kept = {name: value for name, value in os.environ.items() if name not in ours}
    return subprocess.run(
        [str(word) for word in command],
        env=kept | more,
        capture_output=True,
        encoding="utf-8",
        errors="surrogateescape",
    )


def said(*command: object, **more: str) -> str:
    """The output of a command that must succeed."""
    done = run(*command, **more)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_record_has_every_file(wheel):
    with zipfile.ZipFile(wheel) as archive:
        rows = list(csv.reader(archive.read("tftl-1.2.dist-info/RECORD").decode().splitlines()))
        assert [row[0] for row in rows] == archive.namelist()
        assert rows.pop() == ["tftl-1.2.dist-info/RECORD", "", ""]
        for name, digest, size in rows:
            content = archive.read(name)
            value = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
            assert (digest, int(size)) == (f"sha256={value}", len(content))
        assert archive.read("tftl/bin/tftl") == PROGRAM.read_bytes()
        assert archive.getinfo("tftl/bin/tftl").external_attr >> 16 == 0o100755
        names = {name for name in archive.namelist() if name.startswith("tftl_export/")}
    sources = (ROOT / "scripts" / "tftl_export").rglob("*.py")
    assert names == {str(path.relative_to(ROOT / "scripts")) for path in sources}


def test_the_metadata_has_what_the_exporter_imports(wheel):
    with zipfile.ZipFile(wheel) as archive:
        metadata = message_from_bytes(archive.read("tftl-1.2.dist-info/METADATA"))
        tag = message_from_bytes(archive.read("tftl-1.2.dist-info/WHEEL"))["Tag"]
    assert (metadata["Name"], metadata["Version"]) == ("tftl", VERSION)
    assert wheel.name == f"tftl-1.2-{tag}.whl"
    needed = metadata.get_all("Requires-Dist", [])
    assert f"tensorflow=={tftl.TENSORFLOW}" in needed
    modules = {
        module.partition(".")[0]
        for package in packing.PACKAGES
        for path in (ROOT / "scripts" / package).rglob("*.py")
        for module in imports(path)
    }
    others = modules - sys.stdlib_module_names - set(packing.PACKAGES)
    others.remove("keras_hub")  # asks for another TensorFlow; the exporter says how to install it
    assert others == {re.split(r"\W", name)[0] for name in needed} - {"pip"}  # pip downloads


def test_the_wheel_needs_the_tensorflow_that_is_tested():
    pinned = (ROOT / "scripts" / "requirements.txt").read_text()
    assert f"\ntensorflow_cpu=={tftl.TENSORFLOW} " in pinned


def test_the_same_files_give_the_same_bytes(wheel, tmp_path, monkeypatch):
    again = packing.build(PROGRAM, VERSION, tmp_path / "new")
    assert (again.name, again.read_bytes()) == (wheel.name, wheel.read_bytes())
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1800000000")
    with zipfile.ZipFile(packing.build(PROGRAM, VERSION, tmp_path)) as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(2027, 1, 15, 8, 0, 0)}


@pytest.mark.parametrize(
    "described, version",
    [
        ("v1.2.0", "1.2.0"),
        ("v1.2.0-rc1", "1.2.0rc1"),
        ("v1.2.0-3-gabc1234", "1.2.0.post3+gabc1234"),
        ("v1.2.0-3-gabc1234-dirty", "1.2.0.post3+gabc1234.dirty"),
        ("v1.2.0-dirty", "1.2.0+dirty"),
        ("12a3456", "0.0.0+12a3456"),
        ("12a3456-dirty", "0.0.0+12a3456.dirty"),
        ("unknown", "0.0.0+unknown"),
    ],
)
def test_versions_follow_pythons_rules(described, version):
    assert packing.python_version(described) == version


def test_a_version_that_is_none_is_an_error():
    with pytest.raises(ValueError, match=r"version my\.version: not a version such as v1\.2\.0"):
        packing.python_version("my.version")


def elf(machine: int, *names: str) -> bytes:
    return b"\x7fELF".ljust(18, b"\2") + machine.to_bytes(2, "little") + "\0".join(names).encode()


@pytest.mark.parametrize(
    "program, tag",
    [
        (elf(62, "", "GLIBC_2.2.5", "GLIBC_2.17", ""), "manylinux_2_28_x86_64"),
        (elf(183, "", "GLIBC_2.34", "GLIBC_2.4", ""), "manylinux_2_34_aarch64"),
    ],
)
def test_the_platform_is_read_from_the_program(program, tag):
    assert packing.platform(program) == tag


@pytest.mark.parametrize("program", [b"#!/bin/sh\n", elf(3), b""])
def test_what_is_no_program_is_not_packed(program, tmp_path):
    (tmp_path / "tftl").write_bytes(program)
    with pytest.raises(ValueError, match="tftl: not a Linux program for x86-64 or arm64"):
        packing.build(tmp_path / "tftl", VERSION, tmp_path)


def test_the_program_runs_with_the_installed_tensorflow(environment):
    lines = said(environment / "bin" / "tftl", "version").splitlines()
    assert ["tensorflow", tftl.TENSORFLOW] in [line.split() for line in lines]
    assert said(environment / "bin" / "python", "-m", "tftl", "version").splitlines() == lines


def test_the_exporter_needs_no_checkout(environment):
    listed = said(environment / "bin" / "tftl-export", "--list")
    assert listed.startswith("vgg16 ")
    failed = run(environment / "bin" / "tftl-convert", "absent", "-o", "lite")
    assert failed.returncode == 1 and failed.stderr.startswith("tftl-convert: absent: not a model")


def test_the_program_gets_arguments_and_signals_as_they_were(standin):
    awkward = ["fit", "--data", "a b", "", "*", "é\udcff"]
    done = run(standin / "bin" / "tftl", *awkward, LD_LIBRARY_PATH="/mine")
    assert done.returncode == 7
    *arguments, path, ignored = done.stdout.splitlines()
    assert arguments == awkward
    # Where TensorFlow is comes before what the user has set.
    assert path == f"LD_LIBRARY_PATH={sysconfig.get_path('platlib')}/tensorflow:/mine"
    by_python = 1 << signal.SIGPIPE - 1 | 1 << signal.SIGXFSZ - 1
    assert int(ignored.split()[1], 16) & by_python == 0


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Let Python find these packages of TensorFlow, and a library, first."""

    def install(*packages: str) -> Path:
        (tmp_path / "tensorflow").mkdir()
        (tmp_path / "tensorflow" / "libtensorflow_cc.so.2").touch()
        for package in packages:
            (tmp_path / f"{package}.dist-info").mkdir()
        monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
        return tmp_path

    return install


@pytest.mark.parametrize(
    "command, name",
    [(tftl.program, "tftl"), (tftl.export, "tftl-export"), (tftl.convert, "tftl-convert")],
)
def test_another_tensorflow_is_one_clear_error(command, name, installed):
    place = installed("tensorflow_cpu-2.19.1")
    with pytest.raises(SystemExit) as stopped:
        command()
    assert stopped.value.code == (
        f"{name}: needs TensorFlow 2.21, but 2.19.1 is installed in {place}\n"
        f"hint: {sys.executable} -m pip install tensorflow-cpu==2.21.0"
    )


def test_no_tensorflow_is_one_clear_error(environment):
    # -S leaves out what the environment sees of this Python.
    start = f"import sys; sys.path.append({str(site(environment))!r}); import tftl; tftl.program()"
    done = run(environment / "bin" / "python", "-S", "-c", start)
    assert done.returncode == 1
    assert done.stderr.splitlines()[0] == (
        f"tftl: needs TensorFlow 2.21, but none is installed for {environment / 'bin' / 'python'}"
    )


@pytest.mark.parametrize(
    "packages",
    [
        ["tensorflow-2.21.0"],
        ["tensorflow_cpu-2.21.3", "tensorflow_datasets-4.9.9"],
        ["tensorflow-2.21.0", "tensorflow_cpu-2.19.1"],
        [],
    ],
)
def test_other_builds_of_the_release_are_good(packages, installed):
    place = installed(*packages)
    assert tftl._tensorflow("tftl") == str(place / "tensorflow")
