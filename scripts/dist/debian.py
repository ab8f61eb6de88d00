"""Makes a Debian package of a release."""

from __future__ import annotations

import gzip
import json
import os
import re
import subprocess
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dist import archive, layout

NFPM = "github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.44.0"
MAINTAINER = "The tftl authors <maintainers@tftl.invalid>"
DESCRIPTION = """transfer learning for image classification
Trains and evaluates image classifiers on networks exported once from Keras.
TensorFlow's C library is inside; no Python is needed.
"""
CHANGELOG = """tftl ({version}) unstable; urgency=medium

  * Changes are in changelog.gz.

 -- {maintainer}  {date}
"""
# Where Debian wants other places and names than the rest of the world; .gz is compressed.
PLACES = {
    layout.MANUAL: f"{layout.MANUAL}.gz",
    layout.COMPLETIONS["zsh"]: "share/zsh/vendor-completions/_tftl",
    f"{layout.DOCUMENTS}/CHANGELOG.md": f"{layout.DOCUMENTS}/changelog.gz",
}


def package(release: Path, version: str, architecture: str, output: Path) -> Path:
    """Make a Debian package of a release's folder; returns its file."""
    to = output / f"{release.name}.deb"
    version = f"{sortable(version)}-1"
    date = datetime.fromtimestamp(archive.date(), UTC)
    with tempfile.TemporaryDirectory(dir=output, prefix=".tmp-") as work:
        contents = [{"src": layout.LINK, "dst": f"/usr/{layout.PROGRAM}", "type": "symlink"}]
        for path, place in layout.installed(release):
            target = PLACES.get(str(place), str(place))
            if target.endswith(".gz"):
                path = _zipped(path.read_bytes(), Path(work, path.name))
            contents.append(_entry(path, target))
        text = CHANGELOG.format(
            version=version, maintainer=MAINTAINER, date=f"{date:%a, %d %b %Y %T %z}"
        )
        changelog = _zipped(text.encode(), Path(work, "changelog.Debian"))
        contents.append(_entry(changelog, f"{layout.DOCUMENTS}/changelog.Debian.gz"))
        sources = Path(__file__).with_name("deb")
        contents.append(_entry(sources / "copyright", f"{layout.DOCUMENTS}/copyright"))
        contents.append(_entry(sources / "overrides", "share/lintian/overrides/tftl"))
        fields = _fields(version, architecture) | {"mtime": date.isoformat()}
        config = Path(work, "nfpm.json")  # JSON is YAML
        config.write_text(json.dumps(fields | {"contents": contents}))
        nfpm = [os.environ.get("GO", "go"), "run", NFPM, "package", "--packager", "deb"]
        done = subprocess.run(
            [*nfpm, "--config", config, "--target", to], stdout=subprocess.DEVNULL, check=False
        )
        done.check_returncode()
    return to


def sortable(version: str) -> str:
    """A version as Debian sorts it.

    A pre-release is before its release (1.2.0-rc1 is 1.2.0~rc1), and git's further commits are
    after it (1.2.0-3-gabc is 1.2.0+3.gabc).
    """
    version = re.sub(r"-(\d+)-g([0-9a-f]+)", r"+\1.g\2", version).replace("-dirty", ".dirty")
    return version.replace("-", "~")


def _fields(version: str, architecture: str) -> dict[str, Any]:
    return {
        "name": "tftl",
        "arch": architecture,
        "version": version,
        "version_schema": "none",
        "maintainer": MAINTAINER,
        "section": "science",
        "priority": "optional",
        "depends": ["libc6 (>= 2.28)", "libstdc++6 (>= 8)", "libgcc-s1 | libgcc1"],
        "description": DESCRIPTION,
        "deb": {"compression": "gzip"},  # the dpkg of Debian 11 cannot read zstd
    }


def _entry(source: Path, target: str) -> dict[str, Any]:
    return {
        "src": str(source),
        "dst": f"/usr/{target}",
        "file_info": {"mode": layout.mode(Path(target))},
    }


def _zipped(data: bytes, to: Path) -> Path:
    to.write_bytes(gzip.compress(data, mtime=0))
    return to
