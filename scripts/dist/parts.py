"""What a program is made of: its Go modules, their licences, and a list of it all (an SBOM)."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

# How texts of licences are told apart, by words that only they have. The names are SPDX's.
KNOWN = (
    ("Apache-2.0", r"Apache License\s+Version 2\.0"),
    ("MPL-2.0", r"Mozilla Public License,? [Vv]ersion 2\.0"),
    ("CC-BY-4.0", r"Creative Commons Attribution\s+4\.0 International"),
    ("FTL", r"FreeType\s+License"),
    ("OFL-1.1", r"SIL OPEN FONT LICENSE Version 1\.1"),
    ("BSD-3-Clause", r"Redistribution and use in source and binary forms[\s\S]*Neither the name"),
    ("BSD-2-Clause", r"Redistribution and use in source and binary forms"),
    ("ISC", r"Permission to use, copy, modify, and/or distribute this software"),
    ("MIT", r"Permission is hereby granted, free of charge"),
    ("Unlicense", r"free and unencumbered software released into the public domain"),
)
FILES = re.compile(r"(licen[cs]e|copying|notice|patents|unlicense)", re.IGNORECASE)


class PartsError(Exception):
    """Something is in the program whose licence is not known: one line."""


class Part(NamedTuple):
    """Something that is in a release and that others wrote."""

    name: str
    version: str
    url: str  # a package URL, as SBOMs identify packages
    licence: str  # SPDX's name
    texts: dict[str, bytes]  # of its licence, by the names of files


def modules(program: Path) -> list[Part]:
    """The Go modules in a program, and Go's standard library."""
    found = []
    text = _go("version", "-m", str(program))
    for name, version in re.findall(r"^\tdep\t(\S+)\t(\S+)", text, re.MULTILINE):
        found.append(
            _part(
                name,
                version,
                f"pkg:golang/{name}@{version}",
                Path(_go("list", "-m", "-f", "{{.Dir}}", name)),
            )
        )
    if replaced := re.findall(r"^\t=>\t(\S+)", text, re.MULTILINE):
        raise PartsError(f"{program} has replaced modules: {' '.join(replaced)}")
    go = text.split("\n")[0].split()[-1]
    found.append(
        _part("go", go, f"pkg:golang/std@{go.removeprefix('go')}", Path(_go("env", "GOROOT")))
    )
    return found


def _part(name: str, version: str, url: str, folder: Path) -> Part:
    texts = {
        path.name: path.read_bytes()
        for path in [*folder.glob("*"), *folder.glob("licenses/*")]
        if path.is_file() and (FILES.search(path.name) or path.parent != folder)
    }
    for spdx, words in KNOWN:
        if any(re.search(words.encode(), text) for text in texts.values()):
            return Part(name, version, url, spdx, texts)
    raise PartsError(f"{name} {version}: its licence is none that is known; see {folder}")


def licences(parts: list[Part], folder: Path) -> None:
    """Copy the licences, one folder for each part."""
    for part in parts:
        into = folder / part.name.replace("/", "_")
        into.mkdir(parents=True)
        for name, text in part.texts.items():
            (into / name).write_bytes(text)


def sbom(parts: list[Part], version: str) -> str:
    """What is in a release, as CycloneDX 1.5 in JSON."""
    listed: list[dict[str, Any]] = [
        {
            "type": "library",
            "bom-ref": part.url,
            "name": part.name,
            "version": part.version,
            "purl": part.url,
            "licenses": [{"expression": part.licence}],
        }
        for part in parts
    ]
    application = {
        "type": "application",
        "bom-ref": "tftl",
        "name": "tftl",
        "version": version,
        "licenses": [{"license": {"id": "MIT"}}],
    }
    return json.dumps(
        {
            "$schema": "http://cyclonedx.org/schema/bom-1.5.schema.json",
            "bomFormat": "CycloneDX",
            "specVersion": "1.5",
            "version": 1,
            "metadata": {"component": application},
            "components": listed,
            "dependencies": [{"ref": "tftl", "dependsOn": [part["bom-ref"] for part in listed]}],
        },
        indent=2,
    )


def _go(*arguments: str) -> str:
    done = subprocess.run([os.environ.get("GO", "go"), *arguments], capture_output=True, text=True)
    if done.returncode:
        raise PartsError(f"go {arguments[0]}: {done.stderr.strip()}")
    return done.stdout.strip()
