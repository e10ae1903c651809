"""How many processor cores torch uses: more is slower for networks whose steps take milliseconds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def cpu_threads(count: int) -> Iterator[None]:
    """Let torch compute on so many cores for a while; 0 leaves it as it is.

    Several threads wait for each other at the end of every operation. On a busy machine that waiting made a step of the
    enzyme network thirty times slower on two threads than on one.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
