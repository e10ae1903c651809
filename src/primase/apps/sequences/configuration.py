"""The settings that the applications on nucleotide sequences share: where sequences come from, how they are divided."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field, model_validator

from primase.apps.contract import Configuration
from primase.data.words import (
    DatasetWords,
    HeaderWords,
    PairWords,
    SplitSection,
    TableWords,
    refuse_ambiguous_input,
)


class SequenceData(DatasetWords, PairWords, HeaderWords, TableWords):
    """Where the sequences come from, and how they are read."""

    target_column: tuple[str, ...] = ("target",)
    """Column of what is learned; several make one yes-or-no answer each, and H3* stands for all that begin so."""
    genome: Path | None = None
    """FASTA of the genome that intervals (BED, narrowPeak, or a table with chromosome, start, end) lie on."""
    window: int = Field(default=0, ge=0)
    """Letters that the network reads of each sequence, around its centre; 0 for the longest in training."""
    case_as_channel: bool = False
    """Read lower case as a signal. It often tells how a data set was made, and so leaks the answer."""
    mask_borders: int = Field(default=0, ge=0)
    """So many letters on either side of every border are read as N: where case changes, else at either end."""

    @model_validator(mode="after")
    def _one_input(self) -> SequenceData:
        refuse_ambiguous_input(self, ("dataset", "table", "positives", "fasta"))
        if self.case_as_channel and self.mask_borders:
            message = "--mask-borders hides the case that --case-as-channel reads: choose one of them"
            raise ValueError(message)
        return self


class SequenceSplit(SplitSection):
    """How sequences are divided."""

    split: Literal["auto", "chromosome", "cluster", "group", "given", "random"] = "auto"
    """Keep together what lies on one chromosome, what overlaps (cluster) or what --group-column says, draw at random,
    or take the parts as given; auto: chromosome where some are named, else given, else group, else chromosome where
    five or more are known, else cluster."""
    validation_chromosomes: tuple[str, ...] = ()
    """The chromosomes to validate on, beside --test-chromosomes; part of the others where none is named."""
    test_chromosomes: tuple[str, ...] = ()
    """The chromosomes to test on, for --split chromosome; drawn where none is named."""

    @model_validator(mode="after")
    def _chromosomes_fit(self) -> SequenceSplit:
        message = None
        if self.split not in {"auto", "chromosome"} and (self.validation_chromosomes or self.test_chromosomes):
            word = "test" if self.test_chromosomes else "validation"
            message = f"--{word}-chromosomes is for --split chromosome"
        elif self.validation_chromosomes and not self.test_chromosomes:
            message = "--validation-chromosomes needs --test-chromosomes beside it"
        elif both := sorted(set(self.validation_chromosomes) & set(self.test_chromosomes)):
            message = f"--validation-chromosomes and --test-chromosomes both name {', '.join(both)}"
        if message is not None:
            raise ValueError(message)
        return self


class SequenceConfiguration(Configuration):
    """The sections that both applications have."""

    inherited: ClassVar[frozenset[str]] = frozenset({"window", "case_as_channel", "mask_borders"})
    """How a model that starts from another reads its input: as that one does."""

    data: SequenceData = SequenceData()
    split: SequenceSplit = SequenceSplit()
