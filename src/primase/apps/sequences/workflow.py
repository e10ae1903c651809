"""What the applications on nucleotide sequences have in common: all but the molecule, its data and the network."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, TypeVar

import numpy as np
import polars as pl
from jaxtyping import Shaped

from primase.apps.sequences import pages
from primase.apps.sequences.audit import audit_chromosomes, audit_sequences
from primase.apps.sequences.chromosomes import chromosome_groups, chromosome_parts
from primase.apps.sequences.configuration import SequenceConfiguration
from primase.apps.sequences.kinship import all_places_known, cluster, fingerprints, kinship
from primase.apps.sequences.probes import sequence_probes
from primase.apps.sequences.reading import Asked, read_labelled, stream_unlabelled
from primase.apps.sequences.scanning import reading, scan_genome
from primase.apps.workflow import Explanation, Labelled, Scan, Workflow
from primase.bio.kmers import kmer_features
from primase.data.audit import Finding, Fingerprints, Kinship
from primase.data.encoding import Encoder, EncoderState
from primase.data.examples import Examples
from primase.data.sequences import Places, SequenceEncoder, Sequences, usual_length
from primase.data.splits import Groups, Part, Partition, group_by_key, merge_groups
from primase.data.tasks import Task
from primase.errors import ConfigurationError
from primase.evaluation.baselines import Baseline, logistic_regression_baseline, majority_baseline
from primase.evaluation.intervals import ENOUGH_UNITS, Units, choose_units
from primase.evaluation.models import Features
from primase.evaluation.probes import Probe
from primase.events import Listener, Notice
from primase.insight.sequences import SequenceMethod
from primase.predictor.predictor import Predictor
from primase.report.run import Insights

ENOUGH_CHROMOSOMES: Final = 5
LONGEST_WORD: Final = 6
BLOCKS_BP: Final = (1_000_000, 100_000, 10_000)

SequenceConfigurationT = TypeVar("SequenceConfigurationT", bound=SequenceConfiguration)


class SequenceWorkflow(Workflow[Sequences, SequenceConfigurationT]):
    """Letters in, answers out; an application says which molecule, which data and which network."""

    @property
    @abstractmethod
    def asked(self) -> Asked:
        """Say what is asked, and which registered data sets answer it."""

    @property
    @abstractmethod
    def rna(self) -> bool:
        """Whether the molecule is RNA, which has one strand; DNA has two."""

    @property
    @abstractmethod
    def quick_method(self) -> SequenceMethod:
        """Name the explanation that takes no longer than the training: exact mutagenesis, or saliency."""

    def read(self, configuration: SequenceConfigurationT, task: Task | None, listener: Listener) -> Labelled[Sequences]:
        """Read sequences and understand their answers."""
        return read_labelled(configuration.data, self.asked, task, listener)

    def stream(
        self, path: Path, configuration: SequenceConfigurationT, encoder: Encoder[Sequences], listener: Listener
    ) -> Iterator[Examples[Sequences]]:
        """Read FASTA, intervals or a table, block by block."""
        return stream_unlabelled(path, configuration.data, sequence_encoder(encoder).length, listener)

    def policy(self, examples: Examples[Sequences], configuration: SequenceConfigurationT) -> str:
        """Take chromosomes that are named, then parts that are given, groups, and many chromosomes; else overlaps."""
        settings = configuration.split
        if settings.split != "auto":
            return settings.split
        if settings.test_chromosomes:
            return "chromosome"
        if examples.parts is not None:
            return "given"
        if examples.groups:
            return "group"
        if self._chromosomes(examples) >= ENOUGH_CHROMOSOMES:
            return "chromosome"
        return "cluster"

    def _chromosomes(self, examples: Examples[Sequences]) -> int:
        places = examples.inputs.places
        return len(set(places.chromosomes.tolist())) if places and all_places_known(examples.inputs) else 0

    def units(
        self,
        examples: Examples[Sequences],
        policy: str,
        configuration: SequenceConfigurationT,
        listener: Listener,
    ) -> Groups:
        """Keep together what overlaps, what lies on one chromosome, or what the user's column says."""
        del configuration
        groups = list(examples.groups.values())
        if policy == "random":
            return merge_groups(np.arange(len(examples)), *groups)
        if policy == "group":
            if not groups:
                what = "no column says what belongs together"
                raise ConfigurationError(what, where="--split group", advice="Name it with --group-column.")
            return merge_groups(*groups)
        if policy == "chromosome":
            return merge_groups(chromosome_groups(examples), *groups)
        return merge_groups(cluster(examples.inputs, both_strands=not self.rna, listener=listener), *groups)

    def parts(
        self, examples: Examples[Sequences], policy: str, configuration: SequenceConfigurationT
    ) -> Shaped[np.ndarray, "examples"] | None:
        """Name the part of each example where files say so, or by whole chromosomes."""
        if policy == "chromosome" and examples.parts is None:
            return chromosome_parts(examples, configuration.split, configuration.seed)
        return super().parts(examples, policy, configuration)

    def unit_name(self, policy: str) -> str:
        """Say what one unit is."""
        return {"random": "sequence", "group": "group", "chromosome": "chromosome"}.get(policy, "overlap cluster")

    def resampled(self, examples: Examples[Sequences], units: Groups, policy: str) -> Units:
        """Draw chromosomes anew, or blocks of them where there are too few."""
        whole = super().resampled(examples, units, policy)
        places = examples.inputs.places
        if policy != "chromosome" or places is None or whole.count >= ENOUGH_UNITS:
            return whole
        chosen = whole
        for size in BLOCKS_BP:
            keys = [f"{name} {start // size}" for name, start in zip(places.chromosomes, places.starts, strict=True)]
            chosen = choose_units(whole, Units.of(group_by_key(keys), f"{size:,}-bp block"))
            if chosen.count >= ENOUGH_UNITS:
                break
        return chosen

    @property
    def input_name(self) -> str:
        """Name the input."""
        return "sequence" if self.rna else "sequence (on either strand)"

    def fingerprints(self, inputs: Sequences) -> Fingerprints:
        """Hash each sequence; of DNA, the same for both strands."""
        return fingerprints(inputs, both_strands=not self.rna)

    def kinship(self, examples: Examples[Sequences], partition: Partition, listener: Listener) -> Kinship | None:
        """Find the test sequences that overlap one in train."""
        return kinship(examples.inputs, partition, both_strands=not self.rna, listener=listener)

    def audit(
        self,
        labelled: Labelled[Sequences],
        configuration: SequenceConfigurationT,
        partition: Partition | None,
        listener: Listener,
    ) -> list[Finding]:
        """Look for what gives the answer away without any biology: composition, length, case, remains of adapters."""
        del listener
        examples = labelled.examples
        window = configuration.data.window or usual_length(examples.inputs.lengths)
        findings = audit_sequences(examples, labelled.task.labels, window=window)
        if configuration.data.case_as_channel:
            text = (
                "The network reads lower case as a signal (--case-as-channel). Case often tells how a data set was "
                "made, such as where a site begins, and new sequences will not have it."
            )
            findings.append(Finding("case as a signal", len(examples), "warning", text))
        if partition is not None:
            findings += audit_chromosomes(examples.inputs, partition)
        return findings

    def fit_encoder(
        self, train: Examples[Sequences], configuration: SequenceConfigurationT, listener: Listener
    ) -> SequenceEncoder:
        """Choose the length that the network reads: that of the longest training sequence, unless it is said."""
        del listener
        data = configuration.data
        return SequenceEncoder(data.window or usual_length(train.inputs.lengths), case=data.case_as_channel)

    def load_encoder(self, state: EncoderState) -> SequenceEncoder:
        """Read the encoder of a bundle."""
        return SequenceEncoder.from_state(state)

    def baselines(self, encoder: Encoder[Sequences]) -> Sequence[Baseline]:
        """Guess, and weigh each short word wherever it stands."""
        known = sequence_encoder(encoder)

        def words(examples: Examples[Sequences]) -> Features:
            codes = known.cut(examples.inputs, np.arange(len(examples)))
            return kmer_features(codes, LONGEST_WORD, both_strands=not self.rna)

        sees = f"how often every word of 1 to {LONGEST_WORD} letters occurs, wherever it stands"
        return (majority_baseline(), logistic_regression_baseline(words, sees))

    def probes(self, train: Examples[Sequences]) -> Sequence[Probe]:
        """See what length, composition, ends, case and single positions give away."""
        return sequence_probes(train)

    def columns(self, inputs: Sequences, encoder: Encoder[Sequences]) -> pl.DataFrame:
        """Say how long each sequence is and how much of it the network read, and where it lies if that is known."""
        read = np.minimum(inputs.lengths, sequence_encoder(encoder).length)
        places = inputs.places or Places.unknown(len(inputs))
        known = pl.Series(places.known)
        columns = {
            "chromosome": pl.Series(places.chromosomes.tolist(), dtype=pl.String),
            "start": pl.Series(places.starts, dtype=pl.Int64),
            "end": pl.Series(places.ends, dtype=pl.Int64),
            "strand": pl.Series(places.strands.tolist(), dtype=pl.String),
        }
        where_known = [pl.select(pl.when(known).then(column).alias(name)) for name, column in columns.items()]
        lengths = pl.DataFrame({"length": pl.Series(inputs.lengths), "letters_read": pl.Series(read)})
        return pl.concat([lengths, *where_known], how="horizontal")

    def explain(
        self, predictor: Predictor[Sequences], examples: Examples[Sequences], listener: Listener
    ) -> Explanation:
        """Attribute the answers for each sequence to its letters."""
        return pages.explanation(predictor, examples, rna=self.rna, listener=listener)

    def insights(
        self, predictor: Predictor[Sequences], parts: Mapping[Part, Examples[Sequences]], listener: Listener
    ) -> Insights:
        """Show the motifs that the network goes by on the test part."""
        method = self.quick_method
        return Insights(pages.motif_sections(predictor, parts["test"], method, rna=self.rna, listener=listener))

    def scan(
        self,
        predictor: Predictor[Sequences],
        configuration: SequenceConfigurationT,
        scan: Scan,
        listener: Listener,
    ) -> Sequence[Path]:
        """Slide the window along a genome or its regions."""
        if configuration.data.mask_borders:
            text = "The model was trained with masked borders. A genome has none, so that nothing is masked in it."
            listener(Notice(text, "warning"))
        read = reading(predictor, scan.window, lambda encoder: self.network(encoder, predictor.task, configuration))
        if read is not predictor:
            trained = sequence_encoder(predictor.encoder).length
            text = (
                f"The model was trained on {trained} letters at a time and now reads {scan.window}: its probabilities "
                "may not mean what they say."
            )
            listener(Notice(text, "warning"))
        return scan_genome(read, scan, listener)


def sequence_encoder(encoder: Encoder[Sequences]) -> SequenceEncoder:
    """Say that the encoder of these applications is that of sequences."""
    assert isinstance(encoder, SequenceEncoder)
    return encoder
