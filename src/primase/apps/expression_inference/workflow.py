"""The work of expression inference, from files of profiles to the values of genes that were not measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import final

import numpy as np
import polars as pl
from torch import nn

from primase.apps.expression.profiles import Profiles
from primase.apps.expression.reading import read_profiles, stream_profiles
from primase.apps.expression.simulator import simulate
from primase.apps.expression.workflow import ExpressionWorkflow
from primase.apps.expression_inference import pages
from primase.apps.expression_inference.asking import TASK, as_known, asked_of, question
from primase.apps.expression_inference.configuration import InferenceConfiguration
from primase.apps.expression_inference.encoding import InferenceEncoder, inference_encoder
from primase.apps.expression_inference.explaining import ASKED, explain_targets
from primase.apps.expression_inference.learning import build_network, fit_options
from primase.apps.expression_inference.rivals import baselines, probes
from primase.apps.workflow import Explanation, Labelled, Simulated
from primase.data.encoding import Encoder, EncoderState
from primase.data.examples import Examples
from primase.data.splits import Part, Partition
from primase.data.tasks import Task
from primase.evaluation.baselines import Rival
from primase.events import Listener
from primase.predictor.predictor import Predictor
from primase.report.run import Insights
from primase.training.fit import FitOptions


@final
class InferenceWorkflow(ExpressionWorkflow[InferenceConfiguration]):
    """Read, divide, learn and explain the expression of genes that were not measured."""

    def read(self, configuration: InferenceConfiguration, task: Task | None, listener: Listener) -> Labelled[Profiles]:
        """Read profiles of all genes; which of them are asked for is settled on train alone."""
        del task
        found = read_profiles(configuration.data, listener)
        return Labelled(found.examples(), Task(TASK, found.profiles.genes), found.findings)

    def settle(
        self,
        labelled: Labelled[Profiles],
        partition: Partition,
        configuration: InferenceConfiguration,
        listener: Listener,
    ) -> Labelled[Profiles]:
        """Name or choose the landmarks, and ask for the other genes, as far as they vary in train."""
        del listener
        train = labelled.examples.inputs.take(partition.train)
        parent = configuration.training.from_model
        asked = question(train, configuration.data, configuration.seed, parent=parent)
        examples, task = asked_of(labelled.examples, asked)
        return Labelled(examples, task, [*labelled.findings, *asked.findings])

    def read_new(
        self, configuration: InferenceConfiguration, predictor: Predictor[Profiles], listener: Listener
    ) -> Labelled[Profiles]:
        """Read new profiles on the scale of training; genes that a file lacks are not judged."""
        own, data = inference_encoder(predictor.encoder), configuration.data
        found = read_profiles(data, listener, learned_raw=own.raw)
        where = str(data.dataset or data.h5ad or data.table)
        examples, findings = as_known(
            found.examples(), own.landmarks, predictor.task, missing_genes=data.missing_genes, where=where
        )
        return Labelled(examples, predictor.task, [*found.findings, *findings])

    def stream(
        self, path: Path, configuration: InferenceConfiguration, encoder: Encoder[Profiles], listener: Listener
    ) -> Iterator[Examples[Profiles]]:
        """Read the landmarks of new samples, block by block, whatever their order in the file."""
        own, data = inference_encoder(encoder), configuration.data
        blocks = stream_profiles(path, data, own.landmarks, listener, raw=own.raw, missing_genes=data.missing_genes)
        said = ",".join(data.explain_targets)
        for block in blocks:
            asked = np.full(len(block), said, dtype=object)
            yield replace(block, covariates={**block.covariates, ASKED: asked}) if said else block

    @property
    def input_name(self) -> str:
        """Name what is compared."""
        return "profile of the landmarks"

    def looked_at(self, examples: Examples[Profiles]) -> Examples[Profiles]:
        """Look at all genes of the file: a few landmarks are soon alike."""
        store = examples.inputs.store
        return replace(examples, inputs=replace(examples.inputs, columns=np.arange(len(store.genes))))

    def fit_encoder(
        self, train: Examples[Profiles], configuration: InferenceConfiguration, listener: Listener
    ) -> InferenceEncoder:
        """Fit the scalers, and the ridge regression or the bins that the network builds on."""
        del listener
        settings = configuration.network
        return InferenceEncoder.fit(
            train,
            settings.scaling,
            residual=settings.residual,
            bins=settings.bins if settings.loss == "bins" else 0,
        )

    def adopt_encoder(
        self,
        parent: Predictor[Profiles],
        train: Examples[Profiles],
        task: Task,
        configuration: InferenceConfiguration,
    ) -> InferenceEncoder:
        """Scale the landmarks as the other model does; the targets, too, unless others are asked for."""
        del configuration
        return inference_encoder(parent.encoder).adopted(train, parent.task.labels, task.labels)

    def load_encoder(self, state: EncoderState) -> InferenceEncoder:
        """Read the encoder of a bundle."""
        return InferenceEncoder.from_state(state)

    def network(self, encoder: Encoder[Profiles], task: Task, configuration: InferenceConfiguration) -> nn.Module:
        """Build the dense network."""
        del task
        return build_network(inference_encoder(encoder), configuration.network)

    def fit_options(
        self,
        encoder: Encoder[Profiles],
        task: Task,
        train: Examples[Profiles],
        configuration: InferenceConfiguration,
    ) -> FitOptions:
        """Say what training makes small, and how noisy the landmarks are meanwhile."""
        del task
        own = inference_encoder(encoder)
        return fit_options(own, own.encode(train.inputs), configuration.network)

    def baselines(self, encoder: Encoder[Profiles]) -> Sequence[Rival]:
        """Name the mean, linear and ridge regression, and the nearest neighbours."""
        del encoder
        return baselines()

    def probes(self, train: Examples[Profiles]) -> Sequence[Rival]:
        """See what the columns of words, and the total expression, tell by themselves."""
        return probes(train)

    def columns(self, inputs: Profiles, encoder: Encoder[Profiles]) -> pl.DataFrame:
        """Say how many landmarks were missing, where any was."""
        return pages.columns(inputs, inference_encoder(encoder))

    def explain(self, predictor: Predictor[Profiles], examples: Examples[Profiles], listener: Listener) -> Explanation:
        """Say which landmarks drive the inferred values of some genes."""
        found, asked = explain_targets(predictor, examples, listener)
        return Explanation(found, pages.explanation(found, inference_encoder(predictor.encoder), examples, asked))

    def insights(
        self, predictor: Predictor[Profiles], parts: Mapping[Part, Examples[Profiles]], listener: Listener
    ) -> Insights:
        """Map which landmarks drive which genes."""
        del listener
        return Insights(pages.insights(predictor, parts["train"], parts["test"]))

    def simulate(self, folder: Path, count: int, seed: int) -> Simulated:
        """Write profiles in which the factors behind all genes are known, and a list of landmarks."""
        found = simulate(folder, count, seed)
        return replace(found, inputs=[*found.inputs, "--landmarks", "landmarks.txt"])
