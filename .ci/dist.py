"""Checks the wheel and the sdist in a folder: `python .ci/dist.py dist`."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from email import message_from_bytes
from pathlib import Path

PYTHONS = ("3.11", "3.12", "3.13", "3.14")


def files_of_sdist(path: Path) -> set[str]:
    """Return the files of an sdist, without its top folder."""
    with tarfile.open(path) as archive:
        return {member.name.partition("/")[2] for member in archive if member.isfile()}


def check_metadata(wheel: zipfile.ZipFile) -> None:
    """Check the page that the package index will show."""
    (name,) = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
    metadata = message_from_bytes(wheel.read(name))
    assert metadata["License-Expression"] == "Apache-2.0", metadata["License-Expression"]
    assert metadata["License"] is None
    assert metadata["Author"]
    labels = {url.partition(",")[0] for url in metadata.get_all("Project-URL")}
    assert labels >= {"Homepage", "Documentation", "Changelog", "Issues", "Source"}, labels
    classifiers = set(metadata.get_all("Classifier"))
    assert classifiers >= {f"Programming Language :: Python :: {version}" for version in PYTHONS}, classifiers


def check(folder: Path) -> None:
    """Check that the sdist has the whole repository, and that the wheel has only the package."""
    (sdist,), (wheel,) = folder.glob("*.tar.gz"), folder.glob("*.whl")
    tracked = set(subprocess.run(["git", "ls-files"], capture_output=True, text=True, check=True).stdout.split("\n"))
    missing = tracked - {""} - files_of_sdist(sdist)
    assert not missing, f"the sdist lacks {sorted(missing)}"
    with zipfile.ZipFile(wheel) as archive:
        tops = {name.partition("/")[0] for name in archive.namelist()}
        assert {top for top in tops if not top.endswith(".dist-info")} == {"partialbatch", "partialbatch_pytest.py"}
        data = {name for name in tracked if name.startswith("partialbatch/")}
        assert data <= set(archive.namelist()), f"the wheel lacks {sorted(data - set(archive.namelist()))}"
        check_metadata(archive)
    print(f"{sdist.name} has all {len(tracked) - 1} files of the repository")
    print(f"{wheel.name} has the package and its metadata")


if __name__ == "__main__":
    check(Path(sys.argv[1]))
