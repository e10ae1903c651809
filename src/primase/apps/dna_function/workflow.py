"""The work of DNA function: what differs from other questions about sequences."""

from __future__ import annotations

from pathlib import Path
from typing import final

from torch import nn

from primase.apps.dna_function.app import DnaConfiguration
from primase.apps.dna_function.datasets import DATASETS
from primase.apps.dna_function.model import DnaNetwork
from primase.apps.sequences.reading import Asked
from primase.apps.sequences.simulator import simulate_dna
from primase.apps.sequences.workflow import SequenceWorkflow, sequence_encoder
from primase.apps.workflow import Simulated
from primase.data.encoding import Encoder
from primase.data.sequences import Sequences
from primase.data.tasks import Task
from primase.insight.gradients import SALIENCY
from primase.insight.sequences import SequenceMethod
from primase.nn.letters import BASES
from primase.nn.strands import BothStrands


@final
class DnaWorkflow(SequenceWorkflow[DnaConfiguration]):
    """Letters of DNA to convolutions and a recurrent layer: section 3.4 of the paper."""

    @property
    def asked(self) -> Asked:
        """Ask yes or no."""
        return Asked(("no", "yes"), DATASETS)

    @property
    def rna(self) -> bool:
        """DNA has two strands."""
        return False

    @property
    def quick_method(self) -> SequenceMethod:
        """A recurrent layer reads every mutant as a whole, which takes long."""
        return SALIENCY

    def network(self, encoder: Encoder[Sequences], task: Task, configuration: DnaConfiguration) -> nn.Module:
        """Build the network, which reads both strands unless it is told not to."""
        settings, known = configuration.network, sequence_encoder(encoder)
        channels = BASES + known.case
        network = DnaNetwork(
            known.length,
            task.outputs,
            channels=channels,
            pooling=settings.pooling,
            residual_blocks=settings.residual_blocks,
            compact=settings.compact,
            recurrence=settings.recurrence,
            dropout=settings.dropout,
            shift=settings.shift,
            **settings.sizes(),
        )
        return BothStrands(network, channels=channels) if settings.both_strands else network

    def simulate(self, folder: Path, count: int, seed: int) -> Simulated:
        """Write DNA in which motifs are planted, in an order and at distances that matter."""
        return simulate_dna(folder, count, seed)
