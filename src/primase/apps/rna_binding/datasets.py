"""The registered data sets that can be trained on, and how their files are read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from primase.apps.rna_binding.sources import SOURCES, WORDS
from primase.apps.sequences.datasets import files_as_words, simulated
from primase.apps.sequences.reading import Dataset
from primase.apps.sequences.simulator import simulate_rna
from primase.data.derived import SIMULATED

DATASETS: Final[Mapping[str, Dataset]] = {
    SIMULATED: simulated("rna", simulate_rna),
    **{source.name: files_as_words(source, WORDS[source.name]) for source in SOURCES if source.name in WORDS},
}
