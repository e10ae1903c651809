"""The work of RNA binding: what differs from other questions about sequences."""

from __future__ import annotations

from pathlib import Path
from typing import final

from torch import nn

from primase.apps.rna_binding.app import RnaConfiguration
from primase.apps.rna_binding.datasets import DATASETS
from primase.apps.rna_binding.model import RnaMapNetwork, RnaNetwork
from primase.apps.sequences.reading import Asked
from primase.apps.sequences.simulator import simulate_rna
from primase.apps.sequences.workflow import SequenceWorkflow, sequence_encoder
from primase.apps.workflow import Simulated
from primase.data.encoding import Encoder
from primase.data.sequences import Sequences
from primase.data.tasks import Task
from primase.insight.sequences import MUTAGENESIS, SequenceMethod
from primase.nn.letters import BASES


@final
class RnaWorkflow(SequenceWorkflow[RnaConfiguration]):
    """Letters of RNA to convolutions: section 3.3 of the paper."""

    @property
    def asked(self) -> Asked:
        """Ask whether it is bound."""
        return Asked(("not bound", "bound"), DATASETS)

    @property
    def rna(self) -> bool:
        """RNA has one strand."""
        return True

    @property
    def quick_method(self) -> SequenceMethod:
        """A replaced letter changes few places of a convolution, which makes mutagenesis quick."""
        return MUTAGENESIS

    def network(self, encoder: Encoder[Sequences], task: Task, configuration: RnaConfiguration) -> nn.Module:
        """Build the network in one dimension, or that of the paper in two."""
        settings, known = configuration.network, sequence_encoder(encoder)
        channels = BASES + known.case
        if settings.convolution == "2d":
            return RnaMapNetwork(
                known.length,
                task.outputs,
                channels=channels,
                filters=settings.filters[0],
                width=settings.widths[0],
                hidden=settings.hidden,
                dropout=settings.dropout,
                shift=settings.shift,
            )
        return RnaNetwork(
            task.outputs,
            channels=channels,
            filters=settings.filters,
            widths=settings.widths,
            pools=settings.pools,
            residual_blocks=settings.residual_blocks,
            compact=settings.compact,
            dropout=settings.dropout,
            shift=settings.shift,
        )

    def simulate(self, folder: Path, count: int, seed: int) -> Simulated:
        """Write RNA in which a motif is planted."""
        return simulate_rna(folder, count, seed)
