"""What both applications on expression do in the same way, whatever they ask of the profiles."""

from __future__ import annotations

from typing import TypeVar

from primase.apps.expression import auditing
from primase.apps.expression.configuration import ExpressionConfiguration
from primase.apps.expression.datasets import with_own_settings
from primase.apps.expression.profiles import Profiles
from primase.apps.grouped import GroupedWorkflow
from primase.apps.workflow import Labelled
from primase.data.audit import Finding, Fingerprints, Kinship
from primase.data.examples import Examples
from primase.data.splits import Partition
from primase.events import Listener

ExpressionConfigurationT = TypeVar("ExpressionConfigurationT", bound=ExpressionConfiguration)


class ExpressionWorkflow(GroupedWorkflow[Profiles, ExpressionConfigurationT]):
    """Divide and audit expression profiles."""

    example_name = "sample"
    naming_advice = "Name one with --group-column, such as patient."

    def fingerprints(self, inputs: Profiles) -> Fingerprints:
        """Hash each profile, rounded."""
        return auditing.fingerprints(inputs)

    def looked_at(self, examples: Examples[Profiles]) -> Examples[Profiles]:
        """Choose the genes by which samples are compared."""
        return examples

    def audit(
        self,
        labelled: Labelled[Profiles],
        configuration: ExpressionConfigurationT,
        partition: Partition | None,
        listener: Listener,
    ) -> list[Finding]:
        """Look for patients on both sides, twins, confounded batches, and genes that give a label away."""
        del listener
        labels = with_own_settings(configuration.data).label_column
        return auditing.audit_expression(self.looked_at(labelled.examples), labels, partition)

    def kinship(self, examples: Examples[Profiles], partition: Partition, listener: Listener) -> Kinship | None:
        """Find test samples that share a group with train, or are nearly identical to one of it."""
        del listener
        return auditing.kinship(self.looked_at(examples), partition)
