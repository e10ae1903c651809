"""What both applications on images do in the same way, whatever they ask of them."""

from __future__ import annotations

from typing import Final, TypeVar

import polars as pl

from primase.apps.images import auditing
from primase.apps.images.configuration import ImageConfiguration
from primase.apps.images.measuring import measured
from primase.apps.images.pictures import Pictures
from primase.apps.workflow import Labelled, Workflow
from primase.data.audit import Finding, Fingerprints, Kinship
from primase.data.encoding import Encoder
from primase.data.examples import Examples
from primase.data.grouping import grouped_units, usual_policy
from primase.data.splits import Groups, Partition
from primase.events import Listener

ImageConfigurationT = TypeVar("ImageConfigurationT", bound=ImageConfiguration)

ADVICE: Final = "Name a column with --group-column, such as patient, or a --group-pattern of paths."


class ImageWorkflow(Workflow[Pictures, ImageConfigurationT]):
    """Divide and audit images."""

    def units(
        self, examples: Examples[Pictures], policy: str, configuration: ImageConfigurationT, listener: Listener
    ) -> Groups:
        """Keep the images of one patient together, or what the group column says."""
        del configuration, listener
        return grouped_units(examples, policy, advice=ADVICE)

    def unit_name(self, policy: str) -> str:
        """Name what a split keeps together."""
        # Parts that are given may hold single images, or groups of them.
        return {"group": "group", "random": "image"}.get(policy, "unit")

    def policy(self, examples: Examples[Pictures], configuration: ImageConfigurationT) -> str:
        """Take the parts as given, else groups where there are any, else draw."""
        chosen = configuration.split.split
        return usual_policy(examples) if chosen == "auto" else chosen

    def columns(self, inputs: Pictures, encoder: Encoder[Pictures]) -> pl.DataFrame:
        """Say how large each image is."""
        del encoder
        headers = [inputs.header(number) for number in range(len(inputs))]
        sizes = {"height": [one.height for one in headers], "width": [one.width for one in headers]}
        return pl.DataFrame(sizes, schema={"height": pl.Int64, "width": pl.Int64})

    @property
    def input_name(self) -> str:
        """Name what fingerprints compare."""
        return "image"

    def fingerprints(self, inputs: Pictures) -> Fingerprints:
        """Hash the decoded pixels of each image."""
        return measured(inputs).fingerprints

    def audit(
        self,
        labelled: Labelled[Pictures],
        configuration: ImageConfigurationT,
        partition: Partition | None,
        listener: Listener,
    ) -> list[Finding]:
        """Look for copies and patients on both sides, giveaways, masks, and blank images."""
        del configuration
        return auditing.audit_images(labelled.examples, labelled.task, partition, listener)

    def kinship(self, examples: Examples[Pictures], partition: Partition, listener: Listener) -> Kinship | None:
        """Find test images that share a group with train, or are copies of an image of it."""
        return auditing.kinship(examples, partition, listener)
