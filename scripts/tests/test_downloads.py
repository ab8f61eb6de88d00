"""Downloads from a package index that is a folder, and with an apt that is a script."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from tftl_export import downloads

NAME, VERSION = "tiny-package", "1.0"
needs_dpkg = pytest.mark.skipif(not shutil.which("dpkg-deb"), reason="needs dpkg-deb")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("TFTL_DOWNLOADS", str(folder))
    return folder


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that pip uses as the only package index."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def put_wheel(index: Path, content: str = "1") -> str:
    path = index / "tiny_package-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        info = "tiny_package-1.0.dist-info"
        archive.writestr("tiny_package.py", content)
        archive.writestr(
            f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {NAME}\nVersion: {VERSION}\n"
        )
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")
    return hashlib.sha256(path.read_bytes()).hexdigest()


def kept(cache: Path) -> list[str]:
    return sorted(path.name for path in cache.iterdir())


@pytest.mark.parametrize(
    ("settings", "want"),
    [
        ({"TFTL_DOWNLOADS": "/chosen"}, "/chosen"),
        ({"TFTL_DOWNLOADS": "/chosen", "TFTL_CACHE": "/old"}, "/chosen"),
        ({"XDG_CACHE_HOME": "/caches"}, "/caches/tftl/downloads"),
        ({}, "/home/me/.cache/tftl/downloads"),
        ({"TFTL_CACHE": "ram"}, "/home/me/.cache/tftl/downloads"),  # an option of tftl
    ],
)
def test_the_folder_is_the_users_unless_the_environment_says_otherwise(
    monkeypatch, capsys, settings, want
):
    for name in ("TFTL_DOWNLOADS", "TFTL_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"HOME": "/home/me", **settings}.items():
        monkeypatch.setenv(name, value)
    assert downloads.folder() == Path(want)
    assert capsys.readouterr().err == ""


def test_the_old_variable_still_works_with_one_warning(monkeypatch, capsys):
    monkeypatch.delenv("TFTL_DOWNLOADS", raising=False)
    monkeypatch.setenv("TFTL_CACHE", "/somewhere/old")
    assert downloads.folder() == downloads.folder() == Path("/somewhere/old")
    (warning,) = capsys.readouterr().err.splitlines()
    assert warning.startswith("warning: TFTL_CACHE") and "TFTL_DOWNLOADS" in warning


def test_wheel_is_downloaded_once(cache, index):
    expected = put_wheel(index)
    path = downloads.wheel(NAME, VERSION, expected)
    assert downloads.sha256(path) == expected
    assert kept(cache) == [path.name]
    shutil.rmtree(index)
    assert downloads.wheel(NAME, VERSION, expected) == path


def test_damaged_wheel_is_downloaded_again(cache, index):
    expected = put_wheel(index)
    path = downloads.wheel(NAME, VERSION, expected)
    path.write_bytes(path.read_bytes()[:-1])
    assert downloads.sha256(downloads.wheel(NAME, VERSION, expected)) == expected


def test_changed_wheel_is_refused(cache, index):
    expected, actual = put_wheel(index), put_wheel(index, content="2")
    with pytest.raises(
        downloads.DownloadError, match=f"changed, its sha256 is {actual} instead"
    ) as error:
        downloads.wheel(NAME, VERSION, expected)
    assert expected in str(error.value)
    assert "\n" not in str(error.value)
    assert kept(cache) == []


def test_missing_wheel_says_where_to_put_one(cache, index):
    with pytest.raises(downloads.DownloadError, match="No matching distribution") as error:
        downloads.wheel(NAME, VERSION, "0" * 64)
    assert str(cache) in str(error.value)
    assert "\n" not in str(error.value)


@pytest.fixture
def apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of .deb files, NAME.deb, that apt-cache and apt-get use as their lists."""
    folder, programs = tmp_path / "apt", tmp_path / "programs"
    folder.mkdir()
    programs.mkdir()
    scripts = {
        "apt-cache": f'[ -e "{folder}/$2.deb" ]',
        "apt-get": f'case "$1" in\n'
        f'update) mv "{folder}/$LATE" "{folder}/tiny.deb" ;;\n'
        f'download) cp "{folder}/$2.deb" "./$2_1.0_all.deb" && echo W: unsandboxed >&2 ;;\n'
        "esac",
    }
    for name, script in scripts.items():
        (programs / name).write_text(f"#!/bin/sh\n{script}\n")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    return folder


def put_deb(folder: Path, name: str = "tiny.deb") -> None:
    tree = folder / "tree"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN/control").write_text(
        "Package: tiny\nVersion: 1.0\nArchitecture: all\nMaintainer: nobody\nDescription: tiny\n"
    )
    (tree / "usr").mkdir()
    (tree / "usr/greeting").write_text("hello")
    command = ["dpkg-deb", "--root-owner-group", "--build", str(tree), str(folder / name)]
    subprocess.run(command, check=True, capture_output=True)


@needs_dpkg
def test_deb_is_downloaded_once_and_unpacked(cache, apt, tmp_path):
    put_deb(apt)
    path = downloads.deb("tiny")
    assert kept(cache) == ["tiny.deb", "tiny.deb.sha256"]
    shutil.rmtree(apt)
    assert downloads.deb("tiny") == path
    assert downloads.deb_version(path) == "1.0"
    downloads.unpack_deb(path, tmp_path / "unpacked")
    assert (tmp_path / "unpacked/usr/greeting").read_text() == "hello"


@needs_dpkg
def test_damaged_deb_is_downloaded_again(cache, apt):
    put_deb(apt)
    path = downloads.deb("tiny")
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    assert downloads.deb("tiny").read_bytes() == whole


@needs_dpkg
def test_root_updates_lists_that_lack_the_package(cache, apt, monkeypatch):
    put_deb(apt, name="late.deb")
    monkeypatch.setenv("LATE", "late.deb")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert downloads.deb("tiny").is_file()


def test_other_users_are_asked_to_update_the_lists(cache, apt, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(downloads.DownloadError, match="run 'sudo apt-get update'"):
        downloads.deb("tiny")


def test_package_in_no_list(cache, apt, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(downloads.DownloadError, match="not in apt's lists after 'apt-get update'"):
        downloads.deb("tiny")


def test_deb_needs_apt(cache, monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(downloads.DownloadError, match="needs Debian or Ubuntu"):
        downloads.deb("tiny")


@needs_dpkg
def test_file_that_is_not_a_deb(tmp_path):
    path = tmp_path / "text.deb"
    path.write_text("no archive")
    with pytest.raises(downloads.DownloadError, match="text.deb: dpkg-deb cannot read it"):
        downloads.unpack_deb(path, tmp_path)
