"""Primase: from a biologist's own files to a trained, calibrated, explained and honestly evaluated deep model.

>>> import primase
>>> sorted(primase.__all__)
['InputError', 'Model', 'Run', 'calibrate', 'compress', 'export', 'extend', 'load', 'train']
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # importing primase must not import torch
    from primase.errors import InputError
    from primase.interface import calibrate, extend, train
    from primase.models import Model, load
    from primase.pipeline import Run
    from primase.remaking.compressing import compress
    from primase.remaking.exporting import export

_PUBLIC = {
    "InputError": "primase.errors",
    "Model": "primase.models",
    "Run": "primase.pipeline",
    "calibrate": "primase.interface",
    "extend": "primase.interface",
    "compress": "primase.remaking.compressing",
    "export": "primase.remaking.exporting",
    "load": "primase.models",
    "train": "primase.interface",
}

__all__ = ["InputError", "Model", "Run", "calibrate", "compress", "export", "extend", "load", "train"]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used."""
    if name == "__version__":
        return importlib.import_module("primase.versions").PRIMASE
    if name not in _PUBLIC:
        message = f"module 'primase' has no attribute {name!r}"
        raise AttributeError(message)
    return getattr(importlib.import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    """Name what is public."""
    return [*__all__, "__version__"]
