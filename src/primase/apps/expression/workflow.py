"""What both applications on expression do in the same way, whatever they ask of the profiles."""

from __future__ import annotations

from typing import Final, TypeVar

from primase.apps.expression import auditing
from primase.apps.expression.configuration import ExpressionConfiguration
from primase.apps.expression.datasets import with_own_settings
from primase.apps.expression.profiles import Profiles
from primase.apps.workflow import Labelled, Workflow
from primase.data.audit import Finding, Fingerprints, Kinship
from primase.data.examples import Examples
from primase.data.grouping import grouped_units, usual_policy
from primase.data.splits import Groups, Partition
from primase.events import Listener

ExpressionConfigurationT = TypeVar("ExpressionConfigurationT", bound=ExpressionConfiguration)

ADVICE: Final = "Name one with --group-column, such as patient."


class ExpressionWorkflow(Workflow[Profiles, ExpressionConfigurationT]):
    """Divide and audit expression profiles."""

    def units(
        self,
        examples: Examples[Profiles],
        policy: str,
        configuration: ExpressionConfigurationT,
        listener: Listener,
    ) -> Groups:
        """Keep the samples of one patient together, or what the group column says."""
        del configuration, listener
        return grouped_units(examples, policy, advice=ADVICE)

    def unit_name(self, policy: str) -> str:
        """Name what a split keeps together."""
        # Parts that are given may hold single samples, or groups of them.
        return {"group": "group", "random": "sample"}.get(policy, "unit")

    def policy(self, examples: Examples[Profiles], configuration: ExpressionConfigurationT) -> str:
        """Take the parts as given, else groups where there are any, else draw."""
        chosen = configuration.split.split
        return usual_policy(examples) if chosen == "auto" else chosen

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
