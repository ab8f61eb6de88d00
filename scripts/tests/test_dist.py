"""Parts of a release: archives, TensorFlow's library, licences and the list of what is inside."""

import ctypes
import fnmatch
import gzip
import itertools
import json
import os
import subprocess
import tarfile
from pathlib import Path

import pytest
import zstandard

from dist import archive, debian, layout, library, package, parts

PROGRAM = Path("bin/tftl")


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "release"
    (made / "bin").mkdir(parents=True)
    (made / "bin/tftl").write_bytes(b"program")
    (made / "bin/tftl").chmod(0o700)
    (made / "LICENSE").write_text("text\n")
    return made


@pytest.mark.parametrize("ending", [".tar.gz", ".tar.zst"])
def test_an_archive_depends_on_names_and_contents_alone(folder, tmp_path, monkeypatch, ending):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    first, second = tmp_path / f"first{ending}", tmp_path / f"second{ending}"
    archive.tar(folder, first)
    os.utime(folder / "LICENSE", (1, 1))
    (folder / "LICENSE").chmod(0o666)
    folder.rename(tmp_path / "moved")
    (tmp_path / "elsewhere").mkdir()
    again = (tmp_path / "moved").rename(tmp_path / "elsewhere/release")
    archive.tar(again, second)
    assert first.read_bytes() == second.read_bytes()
    data = first.read_bytes()
    plain = gzip.decompress(data) if ending == ".tar.gz" else zstandard.decompress(data, 1 << 20)
    unpacked = tmp_path / "plain.tar"
    unpacked.write_bytes(plain)
    with tarfile.open(unpacked) as tar:
        entries = {e.name: (oct(e.mode), e.uid, e.mtime) for e in tar.getmembers()}
    assert entries == {
        "release": ("0o755", 0, 1700000000),
        "release/LICENSE": ("0o644", 0, 1700000000),
        "release/bin": ("0o755", 0, 1700000000),
        "release/bin/tftl": ("0o755", 0, 1700000000),
    }


def test_a_library_without_its_symbol_table_works(tmp_path):
    source, built, stripped = tmp_path / "a.c", tmp_path / "a.so", tmp_path / "b.so"
    source.write_text(
        "static int hidden(int x) { return x + 1; } int two(void) { return hidden(1); }"
    )
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", built, source], check=True)
    library.strip(built, stripped)
    assert stripped.stat().st_size < built.stat().st_size
    assert b"hidden" in built.read_bytes()
    assert b"hidden" not in stripped.read_bytes()
    assert ctypes.CDLL(str(stripped)).two() == 2
    sections = subprocess.run(
        ["readelf", "-SW", stripped], capture_output=True, text=True, check=True
    )
    assert ".dynsym" in sections.stdout
    assert ".symtab" not in sections.stdout
    assert not sections.stderr
    library.strip(stripped, tmp_path / "c.so")
    assert (tmp_path / "c.so").read_bytes() == stripped.read_bytes()


def test_what_is_no_library_is_refused(tmp_path):
    (tmp_path / "a.so").write_bytes(b"INPUT(libother.so)" * 9)
    with pytest.raises(library.LibraryError, match="not a 64-bit ELF file"):
        library.strip(tmp_path / "a.so", tmp_path / "b.so")


def test_every_module_has_a_known_licence_and_is_listed(tmp_path):
    found = parts.modules(PROGRAM)
    listed = json.loads(parts.sbom(found, "1.2.0"))
    built = subprocess.run(
        ["go", "version", "-m", PROGRAM], capture_output=True, text=True, check=True
    )
    dependencies = [
        line.split("\t")[2:4] for line in built.stdout.splitlines() if "\tdep\t" in line
    ]
    assert len(dependencies) > 10
    urls = {part["purl"] for part in listed["components"]}
    assert urls >= {f"pkg:golang/{name}@{version}" for name, version in dependencies}
    parts.licences(found, tmp_path)
    for part in found:
        assert any((tmp_path / part.name.replace("/", "_")).iterdir()), part.name


def test_a_module_without_a_licence_is_refused(tmp_path):
    (tmp_path / "LICENSE").write_text("Ask me first.")
    with pytest.raises(parts.PartsError, match="its licence is none that is known"):
        parts._part("example.com/x", "v1.0.0", "", tmp_path)


def test_the_manual_goes_where_the_system_looks(folder):
    (folder / layout.MANUAL).parent.mkdir(parents=True)
    (folder / layout.MANUAL).write_text(".TH tftl 1\n")
    places = {str(place): oct(layout.mode(place)) for _, place in layout.installed(folder)}
    assert places == {
        "lib/tftl/LICENSE": "0o644",
        "lib/tftl/bin/tftl": "0o755",
        "share/man/man1/tftl.1": "0o644",
    }


def test_the_image_is_built_from_every_file_that_is_committed():
    files = subprocess.run(["git", "ls-files"], capture_output=True, text=True)
    if files.returncode:
        pytest.skip("not a checkout of git")
    left_out = [file for file in files.stdout.splitlines() if ignored(Path(file))]
    assert left_out == []
    assert ignored(Path("savedmodels/vgg16/saved_model.pb"))
    assert ignored(Path(".venv-gpu/bin/python"))


def ignored(file: Path) -> bool:
    """Whether docker leaves a file out: the last pattern decides that it or a folder of it fits."""
    out = False
    for line in Path(".dockerignore").read_text().split():
        pattern = line.removeprefix("!").removeprefix("/").split("/")
        fits = any(
            len(pattern) == len(parent.parts)
            and all(fnmatch.fnmatchcase(*pair) for pair in zip(parent.parts, pattern, strict=True))
            for parent in [file, *file.parents]
        )
        if fits:
            out = not line.startswith("!")
    return out


def test_debian_sorts_versions_as_they_were_made():
    made = ["1.2.0-rc1", "1.2.0-rc1-4-gabc1234", "1.2.0", "1.2.0-3-gdef5678", "1.2.1"]
    versions = [debian.sortable(version) for version in made]
    assert not any("-" in version for version in versions)
    for older, newer in itertools.pairwise(versions):
        subprocess.run(["dpkg", "--compare-versions", older, "lt", newer], check=True)


def test_an_installation_replaces_an_older_one_and_is_for_everyone(folder, tmp_path):
    base = tmp_path / "root/usr/local"
    (base / "lib/tftl/lib-gpu").mkdir(parents=True)
    old = os.umask(0o077)
    try:
        package.install(folder, Path("/usr/local"), str(tmp_path / "root"))
    finally:
        os.umask(old)
    assert not (base / "lib/tftl/lib-gpu").exists()
    for made in (base / "lib/tftl/bin", base / "bin"):
        assert made.stat().st_mode & 0o777 == 0o755
    assert (base / "bin/tftl").read_bytes() == b"program"
