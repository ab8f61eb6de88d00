"""demo_data.py on a package of drawn stamps and on the real one."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import demo_data
from tftl_export import downloads

needs_dpkg = pytest.mark.skipif(not shutil.which("dpkg-deb"), reason="needs dpkg-deb")


def draw(path: Path, colour: str = "red") -> Path:
    """A stamp: a 20x10 box of one colour in a wide transparent frame."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.new("RGBA", (60, 50), (0, 0, 0, 0))
    image.paste(colour, (5, 5, 25, 15))
    image.save(path)
    return path


def test_photograph_is_the_object_centred_on_white(tmp_path):
    image = demo_data.photograph(draw(tmp_path / "box.png"))
    assert image.mode == "RGB"
    assert image.size == (256, 256)
    pixels = np.asarray(image)
    rows, columns = np.nonzero((pixels == [255, 0, 0]).all(axis=-1))
    assert (columns.min(), columns.max() + 1) == (10, 246)  # 0.92 of the frame
    assert (rows.min(), rows.max() + 1) == (69, 187)
    outside = np.ones((256, 256), bool)
    outside[69:187, 10:246] = False
    assert (pixels[outside] == 255).all()


def test_half_transparent_is_mixed_with_white(tmp_path):
    path = tmp_path / "glass.png"
    Image.new("RGBA", (8, 8), (255, 0, 0, 128)).save(path)
    assert demo_data.photograph(path).getpixel((128, 128)) == (255, 127, 127)


def test_palette_with_transparency(tmp_path):
    path = tmp_path / "palette.png"
    image = Image.new("P", (10, 10), 0)
    image.putpalette([0, 0, 0, 0, 0, 255])
    image.paste(1, (2, 2, 8, 8))
    image.save(path, transparency=0)
    pixels = np.asarray(demo_data.photograph(path))
    assert tuple(pixels[128, 128]) == (0, 0, 255)
    assert tuple(pixels[0, 0]) == (255, 255, 255)


def test_empty_picture_is_an_error(tmp_path):
    path = tmp_path / "nothing.png"
    Image.new("RGBA", (4, 4), (0, 0, 0, 0)).save(path)
    with pytest.raises(demo_data.DemoError, match="nothing.png: the picture is empty"):
        demo_data.photograph(path)


def test_find_skips_copies_and_drawings(tmp_path):
    for name in (
        "birds/owl.png",
        "birds/owl_mirror.png",
        "birds/owl_flip.png",
        "birds/echidna.png",
        "birds/cartoon/tux.png",
        "birds/toys/duck.png",
        "birds/water/duck.png",
        "birds/wild/duck.png",
        "birds/owl.txt",
        "fish/cod.png",
    ):
        draw(tmp_path / name) if name.endswith(".png") else (tmp_path / name).touch()
    found = demo_data.find(tmp_path, demo_data.Class(("birds/**/*.png",), 3))
    assert {file: str(path.relative_to(tmp_path)) for file, path in found.items()} == {
        "owl.jpg": "birds/owl.png",
        "duck.jpg": "birds/water/duck.png",
        "wild-duck.jpg": "birds/wild/duck.png",
    }


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Makes a package with this many photographs per class; four are expected."""
    tree, built = tmp_path / "tree", tmp_path / "built.deb"
    monkeypatch.setenv("TFTL_DOWNLOADS", str(tmp_path / "cache"))
    monkeypatch.setattr(downloads, "deb", lambda name: built)
    kinds = {name: demo_data.Class((f"animals/{name}/*.png",), 4) for name in ("bird", "mammal")}
    monkeypatch.setitem(demo_data.SETS, "animals", kinds)

    def build(count: int) -> None:
        for name in kinds:
            for i in range(count):
                draw(tree / demo_data.STAMPS / f"animals/{name}/{i}.png", "blue")
        (tree / "DEBIAN").mkdir()
        (tree / "DEBIAN/control").write_text(
            "Package: stamps\nVersion: 3\nArchitecture: all\nMaintainer: me\nDescription: none\n"
        )
        command = ["dpkg-deb", "--root-owner-group", "--build", str(tree), str(built)]
        subprocess.run(command, check=True, capture_output=True)

    return build


@needs_dpkg
def test_build_writes_a_folder_per_class_and_its_sources(package, tmp_path, capsys):
    package(4)
    output = tmp_path / "new" / "set"
    assert demo_data.main(["--output", str(output)]) == 0
    out, err = capsys.readouterr()
    assert out == f"{output}: 4 bird, 4 mammal\n"
    assert "warning: tuxpaint-stamps-default 3 is not the version tried" in err
    assert sorted(path.name for path in output.iterdir()) == ["SOURCES.txt", "bird", "mammal"]
    assert sorted(path.name for path in output.parent.iterdir()) == ["set"]
    with Image.open(output / "bird" / "0.jpg") as image:
        assert (image.format, image.size) == ("JPEG", (256, 256))
    sources = (output / "SOURCES.txt").read_text()
    assert "mammal/3.jpg <- animals/mammal/3.png\n" in sources
    assert downloads.sha256(tmp_path / "built.deb") in sources


@needs_dpkg
def test_second_build_does_nothing(package, tmp_path, monkeypatch, capsys):
    package(4)
    arguments = ["--output", str(tmp_path / "set")]
    assert demo_data.main(arguments) == 0
    first = capsys.readouterr().out
    monkeypatch.setattr(downloads, "deb", lambda name: pytest.fail("downloaded again"))
    assert demo_data.main(arguments) == 0
    assert capsys.readouterr().out == first


@needs_dpkg
def test_other_or_incomplete_folder_is_not_changed(package, tmp_path, capsys):
    package(4)
    output = tmp_path / "set"
    output.mkdir()  # an empty folder is used
    assert demo_data.main(["--output", str(output)]) == 0
    assert demo_data.main(["--output", str(output), "--set", "plants"]) == 1
    (output / "bird" / "0.jpg").unlink()
    assert demo_data.main(["--output", str(output)]) == 1
    assert "exists but does not have all of the set animals; remove it" in capsys.readouterr().err
    assert (output / "bird" / "1.jpg").is_file()


@needs_dpkg
def test_three_quarters_of_a_class_are_enough(package, tmp_path):
    package(3)
    assert demo_data.build(tmp_path / "set", "animals") == {"bird": 3, "mammal": 3}


@needs_dpkg
def test_too_few_photographs_leave_nothing_behind(package, tmp_path, capsys):
    package(2)
    output = tmp_path / "new" / "set"
    assert demo_data.main(["--output", str(output)]) == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("demo_data: tuxpaint-stamps-default: 2 photographs in animals/bird")
    assert list(output.parent.iterdir()) == []


def test_failed_download_is_one_line(tmp_path, monkeypatch, capsys):
    def gone(name: str) -> Path:
        raise downloads.DownloadError(f"{name}: gone")

    monkeypatch.setattr(downloads, "deb", gone)
    assert demo_data.main(["--output", str(tmp_path / "set")]) == 1
    assert capsys.readouterr().err == "demo_data: tuxpaint-stamps-default: gone\n"


@pytest.mark.network
@pytest.mark.parametrize("name", sorted(demo_data.SETS))
def test_real_sets(name, tmp_path):
    counts = demo_data.build(tmp_path / name, name)
    for label, kind in demo_data.SETS[name].items():
        files = list((tmp_path / name / label).glob("*.jpg"))
        assert len(files) == counts[label]
        assert 0.75 * kind.tried <= len(files) <= 2 * kind.tried
    for file in files:
        with Image.open(file) as image:
            pixels = np.asarray(image)
        assert pixels.shape == (256, 256, 3)
        assert (pixels[0] > 245).all()  # a white margin
        assert pixels.std() > 10
