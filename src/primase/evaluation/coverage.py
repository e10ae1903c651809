"""Whether intervals around predicted values hold what they should, on examples that they were not made from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, final

import numpy as np
from jaxtyping import Float

from primase.evaluation.conformal import AnyIntervals, NoIntervals
from primase.evaluation.intervals import Interval, percentile_interval
from primase.evaluation.values import Draw, Values, target_blocks

SPREAD: Final = (0.05, 0.5, 0.95)
"""The quantiles over the targets by which their coverages are told."""


@final
@dataclass(frozen=True, slots=True, eq=False)
class CoverageFigures:
    """What the intervals around values hold, on the test.

    Parameters
    ----------
    method
        The name of the method; ``"none"`` where values have no interval.
    note
        What was done, as a sentence.
    stated
        The share of values that their intervals should hold; NaN where there are none.
    found
        The share of the measured values that their intervals hold, over all targets that have them.
    relative_width
        How wide an interval is beside the range that holds the stated share of what was measured of the target on the
        test, which is as much as can be said without a model; the median over the targets.
    of_targets
        The share that is found for each target; NaN where it has no interval.
    half_widths
        Per target; empty where there are none.
    """

    method: str
    note: str
    stated: float
    found: Interval
    relative_width: float
    of_targets: Float[np.ndarray, "targets"]
    half_widths: Float[np.ndarray, "targets"]

    @property
    def spread(self) -> tuple[float, ...]:
        """The 5 %, 50 % and 95 % quantiles over the targets of the share that is found; empty where there is none."""
        known = self.of_targets[~np.isnan(self.of_targets)]
        return tuple(np.quantile(known, SPREAD).tolist()) if len(known) else ()

    def to_state(self) -> dict[str, Any]:
        """Describe the figures in JSON, as ``metrics.json`` has them: numbers, null if undefined."""
        found = self.found.to_state()
        return {
            "method": self.method,
            "coverage_stated": _number(self.stated),
            "coverage_found": found["value"],
            "coverage_found_low": found["low"],
            "coverage_found_high": found["high"],
            "coverage_of_targets": {f"{share:.0%}": value for share, value in zip(SPREAD, self.spread, strict=False)},
            "relative_width": _number(self.relative_width),
        }


def coverage_figures(intervals: AnyIntervals, truth: Values, values: Values, draw: Draw) -> CoverageFigures:
    """Count which measured values lie in the intervals around the predicted ones.

    Parameters
    ----------
    truth
        NaN where not known.
    values
        What was predicted.
    draw
        Over the units of the same examples.
    """
    if isinstance(intervals, NoIntervals):
        nothing = np.empty(0)
        undefined = Interval.undefined()
        return CoverageFigures(intervals.name, intervals.note, np.nan, undefined, np.nan, nothing, nothing)
    counts = np.zeros((len(truth), 2))
    of_targets, widths = [], []
    for block in target_blocks(*truth.shape, summands=4):
        half = intervals.half_widths[block]
        errors = np.abs(values[:, block].astype(np.float64) - truth[:, block])
        known = ~np.isnan(errors) & np.isfinite(half)
        held = known & (errors <= half)
        counts += np.stack([held.sum(axis=1), known.sum(axis=1)], axis=1)
        of_targets.append(_ratio(held.sum(axis=0), known.sum(axis=0)))
        widths.append(_ratio(2 * half, _range(truth[:, block], intervals.coverage)))
    held_and_known = draw.sums(counts)
    everything = counts.sum(axis=0)
    found = percentile_interval(
        float(_ratio(everything[0], everything[1])), _ratio(held_and_known[:, 0], held_and_known[:, 1])
    )
    relative = np.concatenate(widths)
    relative = relative[np.isfinite(relative)]
    return CoverageFigures(
        method=intervals.name,
        note=intervals.note,
        stated=intervals.coverage,
        found=found,
        relative_width=float(np.median(relative)) if len(relative) else float("nan"),
        of_targets=np.concatenate(of_targets),
        half_widths=intervals.half_widths,
    )


def _range(truth: Values, coverage: float) -> Float[np.ndarray, "targets"]:
    """Measure how wide the middle of the measured values is that holds a share of them."""
    some = ~np.isnan(truth).all(axis=0)
    wide = np.full(truth.shape[1], np.nan)
    if some.any():
        tails = [(1 - coverage) / 2, (1 + coverage) / 2]
        low, high = np.nanquantile(truth[:, some].astype(np.float64), tails, axis=0)
        wide[some] = high - low
    return wide


def _ratio(first: Any, second: Any) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(np.asarray(second) > 0, np.divide(first, second), np.nan))


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
