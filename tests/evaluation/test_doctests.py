"""The examples in the docstrings of the evaluation room say what is true."""

import doctest
import importlib
import pkgutil

import pytest

import primase.evaluation

MODULES = [f"primase.evaluation.{module.name}" for module in pkgutil.iter_modules(primase.evaluation.__path__)]


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0
