"""Test images that are crops of a field of view of which the network has learned another crop."""

from __future__ import annotations

from typing import Final

import numpy as np

from primase.apps.images.auditing import BESIDE
from primase.data.audit import Finding, Kinship
from primase.data.splits import Groups, Partition

RELATION: Final = "sharing a field of view with train"
_END: Final = " with train"


def with_fields(found: Kinship | None, partition: Partition, of_images: Groups) -> Kinship | None:
    """Add to the test images that are related to train those that share a field of view with it.

    Parameters
    ----------
    found
        What else they are related by; None for nothing.
    of_images
        The field of view of every image.
    """
    shared = np.isin(of_images[partition.test], of_images[partition.train])
    count, total = int(shared.sum()), len(shared)
    if not count:
        return found
    text = (
        f"{count:,} of {total:,} test images are crops of a field of view of which another crop is in train, as they "
        "go on in each other at a border"
    )
    related, relation = shared, RELATION
    if found is not None:
        related = shared | found.related
        relation = f"{found.relation.removesuffix(_END)} or a field of view{_END}"
        text = f"{found.finding.text.removesuffix(BESIDE)}{text}; {int(related.sum()):,} are one or the other"
    text += "; figures without them stand beside. --split cluster keeps the crops of a field together."
    return Kinship(related, Finding("kin of train", int(related.sum()), "warning", text), relation)
