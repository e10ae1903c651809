"""Genes that are hardly ever there are left out, and unknown values count for neither side."""

import numpy as np
import pytest

from primase.apps.expression.expressed import only_expressed
from primase.apps.expression.profiles import Profiles
from primase.errors import InputError

VALUES = np.array([[0, 1, np.nan, 0], [0, 2, 3, 0], [1, 0, np.nan, 0], [0, 4, 0, 0]], dtype=np.float32)


@pytest.mark.parametrize(("share", "kept"), [(0, "abcd"), (0.25, "abc"), (0.5, "bc"), (0.7, "b")])
def test_genes_above_zero_in_enough_samples_are_kept(share, kept):
    assert only_expressed(Profiles.of_values(list("abcd"), VALUES), share).genes == tuple(kept)


def test_no_gene_at_all():
    with pytest.raises(InputError, match="--minimum-expressed"):
        only_expressed(Profiles.of_values(list("abcd"), VALUES), 0.9)
