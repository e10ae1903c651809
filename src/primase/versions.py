"""Which version this is, and of what it depends on most."""

from __future__ import annotations

import platform
from importlib.metadata import version

PRIMASE = version("primase")


def versions() -> dict[str, str]:
    """Name the versions that a saved model was made with."""
    packages = ("torch", "lightning", "numpy", "scipy", "scikit-learn", "pyhmmer", "captum")
    return {"primase": PRIMASE, "python": platform.python_version(), **{name: version(name) for name in packages}}
