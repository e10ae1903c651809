"""The map of numbers: what is drawn, and what is said of it."""

from __future__ import annotations

import re

import numpy as np
import pytest

from primase.report.figures.heatmap import MOST_COLUMNS, NARROW_COLUMNS, heatmap
from primase.report.sections import Figure


def drawn(values: np.ndarray) -> Figure:
    rows = [f"gene {number}" for number in range(values.shape[0])]
    columns = [f"landmark {number}" for number in range(values.shape[1])]
    return heatmap(values, rows, columns, title="What drives what", quantity="units per unit")


def test_every_name_is_written_and_the_strongest_are_said() -> None:
    values = np.zeros((3, 4))
    values[1, 2], values[0, 3] = -2.5, 1.25
    figure = drawn(values)
    text = str(figure.svg)
    for name in ("gene 0", "gene 2", "landmark 0", "landmark 3", "units per unit"):
        assert name in text
    assert "gene 1 and landmark 2 \N{MINUS SIGN}2.5; gene 0 and landmark 3 +1.2" in figure.alternative_text
    assert "full blue is +2.5, full orange \N{MINUS SIGN}2.5" in figure.caption


def test_shades_follow_the_numbers() -> None:
    def opacities(values: np.ndarray) -> list[float]:
        text = str(drawn(values).svg)
        return [float(found) for found in re.findall(r"fill-opacity:([0-9.]+)", text)]

    legend = opacities(np.zeros((1, 3)))
    with_half = opacities(np.array([[1.0, -0.5, 0.0]]))
    assert with_half.count(0.5) == legend.count(0.5) + 1
    assert len(with_half) <= len(legend) + 2


def test_what_is_not_finite_stays_empty() -> None:
    figure = drawn(np.array([[np.nan, 1.0], [np.inf, 0.5]]))
    assert "+1" in figure.caption
    assert "nan" not in str(figure.svg).casefold()


def test_a_telephone_shows_the_strongest_columns() -> None:
    values = np.full((2, MOST_COLUMNS), 0.1)
    values[0, -1] = 3
    figure = drawn(values)
    assert figure.narrow_svg is not None
    names = set(re.findall(r"landmark \d+", str(figure.narrow_svg)))
    assert f"landmark {MOST_COLUMNS - 1}" in names
    assert len(names) == NARROW_COLUMNS


def test_nothing_but_zeros_can_be_drawn() -> None:
    assert "gene 0" in str(drawn(np.zeros((1, 1))).svg)


@pytest.mark.parametrize("shape", [(1, MOST_COLUMNS + 1), (29, 1)])
def test_too_much_is_refused(shape: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="more than can be read"):
        drawn(np.zeros(shape))


def test_numbers_must_fit_their_names() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        heatmap(np.zeros((2, 2)), ["a"], ["b", "c"], title="t", quantity="q")
