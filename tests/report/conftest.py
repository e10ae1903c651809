import numpy as np
import pytest

from primase.evaluation.reliability import ReliabilityCurve


@pytest.fixture(scope="session")
def scored():
    generator = np.random.default_rng(0)
    targets = (generator.random(3000) < 0.3).astype(int)
    return targets, generator.normal(size=3000) + 1.2 * targets


@pytest.fixture(scope="session")
def curve():
    """The second point has no interval."""
    return ReliabilityCurve(
        lower=np.array([0.4, 0.6, 0.8]),
        upper=np.array([0.6, 0.8, 1.0]),
        confidence=np.array([0.5, 0.7, 0.95]),
        accuracy=np.array([0.4, 0.7, 0.9]),
        low=np.array([0.1, np.nan, 0.87]),
        high=np.array([0.8, np.nan, 0.93]),
        count=np.array([5, 50, 500]),
    )
