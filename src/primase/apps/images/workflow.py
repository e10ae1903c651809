"""What both applications on images do in the same way, whatever they ask of them."""

from __future__ import annotations

from typing import TypeVar

import polars as pl

from primase.apps.grouped import GroupedWorkflow
from primase.apps.images import auditing
from primase.apps.images.configuration import ImageConfiguration
from primase.apps.images.measuring import measured
from primase.apps.images.pictures import Pictures
from primase.apps.workflow import Labelled
from primase.data.audit import Finding, Fingerprints, Kinship
from primase.data.encoding import Encoder
from primase.data.examples import Examples
from primase.data.splits import Partition
from primase.events import Listener

ImageConfigurationT = TypeVar("ImageConfigurationT", bound=ImageConfiguration)


class ImageWorkflow(GroupedWorkflow[Pictures, ImageConfigurationT]):
    """Divide and audit images."""

    example_name = "image"
    naming_advice = "Name a column with --group-column, such as patient or specimen, or a --group-pattern of paths."

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
        """Look for copies and groups on both sides, giveaways, masks, and blank images."""
        del configuration
        return auditing.audit_images(labelled.examples, labelled.task, partition, listener)

    def kinship(self, examples: Examples[Pictures], partition: Partition, listener: Listener) -> Kinship | None:
        """Find test images that share a group with train, or are copies of an image of it."""
        return auditing.kinship(examples, partition, listener)
