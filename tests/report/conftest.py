from dataclasses import dataclass

import numpy as np
import pytest


@dataclass(frozen=True)
class Bins:
    confidence: np.ndarray
    accuracy: np.ndarray
    count: np.ndarray
    low: np.ndarray
    high: np.ndarray


@pytest.fixture(scope="session")
def scored():
    generator = np.random.default_rng(0)
    targets = (generator.random(3000) < 0.3).astype(int)
    return targets, generator.normal(size=3000) + 1.2 * targets


@pytest.fixture(scope="session")
def bins():
    confidence = np.array([0.1, 0.5, 0.7, 0.95])
    nothing = np.nan
    return Bins(
        confidence,
        np.array([nothing, 0.4, 0.7, 0.9]),
        np.array([0, 5, 50, 500]),
        np.array([nothing, nothing, 0.6, 0.87]),
        np.array([nothing, 0.8, 0.8, 0.93]),
    )
