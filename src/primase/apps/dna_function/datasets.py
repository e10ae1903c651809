"""The registered data sets that can be trained on, and how their files are read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from primase.apps.dna_function.sources import SOURCES, TARGET_COLUMNS, WORDS, YEAST_GENOME, YEAST_HISTONE_MARKS
from primase.apps.sequences.datasets import files_as_words, simulated
from primase.apps.sequences.reading import Dataset
from primase.apps.sequences.simulator import simulate_dna
from primase.apps.workflow import Labelled
from primase.bio.genome_features import read_genome_windows
from primase.data.audit import Finding
from primase.data.derived import SIMULATED
from primase.data.examples import Examples
from primase.data.fetch import fetch
from primase.data.sequences import Places, Sequences
from primase.data.tasks import Task
from primase.events import Listener

CONTEXT_BP: Final = 400
"""The network reads so much around each window of 200 base pairs: what a window carries begins outside of it."""


def yeast_genome(listener: Listener) -> Labelled[Sequences]:
    """Read the windows of the yeast genome, with the annotated features that overlap each."""
    (archive,) = fetch(YEAST_GENOME, listener=listener).values()
    windows = read_genome_windows(archive)
    first, last = windows.offsets[windows.chromosome], windows.offsets[windows.chromosome + 1]
    names = np.array(windows.chromosomes, dtype=object)[windows.chromosome]
    width = windows.ends - windows.starts
    wider = (CONTEXT_BP - width) // 2
    count = len(windows.starts)
    places = Places(names, windows.starts, windows.ends, np.full(count, ".", dtype=object))
    sequences = Sequences(
        letters=windows.letters,
        starts=first + windows.starts - wider,
        lengths=width + 2 * wider,
        lows=first,
        highs=last,
        reverse=np.zeros(count, dtype=bool),
        places=places,
    )
    ids = [f"{name}:{start}-{end}" for name, start, end in zip(names, windows.starts, windows.ends, strict=True)]
    examples = Examples(ids=np.array(ids, dtype=object), inputs=sequences, targets=windows.labels)
    findings = []
    if windows.left_out:
        listing = ", ".join(f"{name} ({windows_with:,})" for name, windows_with in windows.left_out.items())
        text = f"Too rare to be learned, or on too few chromosomes, and left out: {listing} windows."
        findings.append(Finding("features left out", len(windows.left_out), "info", text))
    return Labelled(examples, Task("multilabel", windows.names), findings)


_GROUPED: Final = {YEAST_HISTONE_MARKS.name: {"group_column": "overlap_group"}}

DATASETS: Final[Mapping[str, Dataset]] = {
    YEAST_GENOME.name: yeast_genome,
    SIMULATED: simulated("dna", simulate_dna),
    **{
        source.name: files_as_words(
            source,
            WORDS[source.name],
            target_column=TARGET_COLUMNS[source.name],
            **_GROUPED.get(source.name, {}),
        )
        for source in SOURCES
        if source.name in WORDS
    },
}
