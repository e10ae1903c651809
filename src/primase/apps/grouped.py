"""How examples are divided that come in groups, such as the samples or the images of one patient."""

from __future__ import annotations

from typing import ClassVar

from primase.apps.workflow import ConfigurationT, Workflow
from primase.data.examples import Examples, InputsT
from primase.data.grouping import grouped_units, usual_policy
from primase.data.splits import Groups
from primase.events import Listener


class GroupedWorkflow(Workflow[InputsT, ConfigurationT]):
    """Divide as is given, by groups where there are any, or at random."""

    example_name: ClassVar[str]
    """One example, in the singular."""
    naming_advice: ClassVar[str]
    """How a user names groups."""

    def units(
        self, examples: Examples[InputsT], policy: str, configuration: ConfigurationT, listener: Listener
    ) -> Groups:
        """Keep the examples of one patient together, or what else groups them."""
        del configuration, listener
        return grouped_units(examples, policy, advice=self.naming_advice)

    def unit_name(self, policy: str) -> str:
        """Name what a split keeps together."""
        # Parts that are given may hold single examples, or groups of them.
        return {"group": "group", "random": self.example_name}.get(policy, "unit")

    def policy(self, examples: Examples[InputsT], configuration: ConfigurationT) -> str:
        """Take the parts as given, else groups where there are any, else draw."""
        chosen = configuration.split.split
        return usual_policy(examples) if chosen == "auto" else chosen
