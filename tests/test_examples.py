"""Every example in a docstring does what it says."""

import doctest
import importlib
import pkgutil

import pytest

import primase

MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(primase.__path__, "primase.")
    if not module.name.rpartition(".")[2].startswith("test_")
)


@pytest.mark.parametrize("name", ["primase", *MODULES])
def test_examples_in_docstrings(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_the_walk_finds_the_examples():
    finder = doctest.DocTestFinder(exclude_empty=True)
    found = sum(len(test.examples) for name in MODULES for test in finder.find(importlib.import_module(name)))
    assert found >= 10
