"""What a trained model is asked: to predict, to explain itself, to be judged on new data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from pydantic import ValidationError

from primase.apps.contract import Application, Configuration
from primase.apps.discovery import application_named
from primase.apps.workflow import Generation, Ranking, Scan, Workflow
from primase.configuration import configure, settings_of
from primase.data.audit import Finding, Fingerprints, audit_examples
from primase.data.examples import Examples
from primase.data.tasks import Task
from primase.data.words import INPUT_WORDS
from primase.errors import BundleError, InputError
from primase.evaluation.assessment import Assessment, assess
from primase.evaluation.division import Division
from primase.evaluation.evaluation import Evaluation
from primase.evaluation.operating import OperatingPoint
from primase.evaluation.per_label import read_calibrator
from primase.events import Listener, Notice, Progress, silent
from primase.insight.attribution import Attribution
from primase.nn.structure import rebuild
from primase.nn.threads import cpu_threads
from primase.predictor.bundle import bundle_digest, read_bundle, read_facts
from primase.predictor.precautions import Precautions
from primase.predictor.predictor import Predictor
from primase.predictor.safeguards import Safeguards
from primase.predictor.tables import check_table_path, write_table
from primase.predictor.workspace import fresh_folder, refuse_occupied
from primase.report.evaluation import evaluation_page, metrics_state
from primase.report.page import render_page, write_page
from primase.report.records import MEMBERS, METRICS, PREDICTIONS, REPORT, TARGETS, input_hashes, write_json
from primase.report.remedies import operating_remedy
from primase.report.run import Remedy
from primase.report.value_records import targets_table
from primase.versions import PRIMASE

ATTRIBUTIONS = "attributions.parquet"
SELF_CHECK = "self_check.json"
OPERATING_POINT = "operating_point"
"""Where ``bundle.json`` keeps the cut between no and yes."""
ANCESTORS = "ancestors.parquet"
MOST_EXPLAINED = 20_000


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """A trained model, with the application that knows how to feed it.

    Parameters
    ----------
    path
        Its bundle.
    configuration
        What it was trained with.
    """

    path: Path
    application: Application
    workflow: Workflow[Any, Any]
    configuration: Configuration
    predictor: Predictor[Any]

    def predict(self, inputs: Path | str, *, listener: Listener = silent, **settings: Any) -> pl.DataFrame:
        """Predict for every record of a file.

        Parameters
        ----------
        inputs
            Such as a FASTA file.
        settings
            How to read it, by the names of the application's data settings, such as ``profiles``; and what to say
            beside each prediction, by the names of :class:`~primase.predictor.precautions.Precautions`, such as
            ``dropout_samples=20``.

        Returns
        -------
        polars.DataFrame
            ``id``, ``prediction``, ``probability_LABEL`` per label, and what the application adds; where values are
            predicted ``value_TARGET`` per target, and ``low_TARGET`` and ``high_TARGET`` where intervals are known;
            ``prediction_set`` where the model was trained with a coverage; and what was asked beside.
        """
        return pl.concat(list(self.predictions(Path(inputs), settings, listener)))

    def predictions(self, path: Path, settings: Mapping[str, Any], listener: Listener) -> Iterator[pl.DataFrame]:
        """Predict block by block, so that a file of any size needs little memory."""
        precautions, settings = Precautions.among(settings)
        predictor, done = precautions.taken_by(self.predictor), 0
        for examples in self._stream(path, settings, listener):
            with self._threads():
                calibrated = predictor.calibrator.answers(predictor.outputs(examples.inputs))
                answers = precautions.tables(predictor, examples.inputs, calibrated)
            columns = [
                pl.DataFrame({"id": pl.Series(examples.ids.tolist(), dtype=pl.String)}),
                *answers,
                self.workflow.columns(examples.inputs, self.predictor.encoder),
            ]
            done += len(examples)
            listener(Progress("predict", done, None, "records"))
            yield pl.concat(columns, how="horizontal")

    def draw(self, inputs: Path | str, out: Path | str, *, listener: Listener = silent, **settings: Any) -> int:
        """Write the image that is predicted for each of a file or folder into a new folder; return their number.

        Parameters
        ----------
        settings
            How to read the input, and what to make of it.
        """
        refuse_occupied(Path(out))
        blocks = self._stream(Path(inputs), settings, listener)
        with fresh_folder(Path(out)) as folder, self._threads():
            return self.workflow.draw(self.predictor, blocks, self.configured(settings), folder, listener)

    def explain(
        self, inputs: Path | str, out: Path | str, *, listener: Listener = silent, **settings: Any
    ) -> Attribution:
        """Write why the model says what it says of every record of a file, as a table and a page."""
        refuse_occupied(Path(out))
        examples = self._few(Path(inputs), settings, listener)
        with fresh_folder(Path(out)) as folder:
            with self._threads():
                explanation = self.workflow.explain(self.predictor, examples, listener)
            explanation.attribution.table.write_parquet(folder / ATTRIBUTIONS)
            check = explanation.attribution.check
            write_json(folder / SELF_CHECK, None if check is None else check.to_state())
            if explanation.write_more is not None:
                explanation.write_more(folder)
            facts = [("Model", self.path), ("Input", inputs), ("Records", f"{len(examples):,}")]
            page = render_page("Why does the model say so?", "", explanation.sections, facts=facts, version=PRIMASE)
            write_page(folder / REPORT, page)
        return explanation.attribution

    def scan(
        self, inputs: Path | str, out: Path | str, *, listener: Listener = silent, **settings: Any
    ) -> Sequence[Path]:
        """Slide the window that the model reads along a genome, and write what it says of each.

        Parameters
        ----------
        inputs
            FASTA of a genome, or a BED file of regions with ``genome="genome.fa"``.
        out
            Ends in ``.parquet``, ``.bed`` or ``.bw``.
        settings
            The others of :class:`primase.apps.workflow.Scan`, such as ``stride=50``.

        Returns
        -------
        sequence of Path
            The files that were written.
        """
        model = bundle_digest(self.path)
        scan = Scan(Path(inputs), Path(out), model, **settings)
        with self._threads():
            return self.workflow.scan(self.predictor, self.configuration, scan, listener)

    def rank(self, out: Path | str, *, listener: Listener = silent, **settings: Any) -> pl.DataFrame:
        """Write the most probable of all pairs that have not been tested as a table, the most probable first.

        Parameters
        ----------
        out
            Ends in ``.parquet``, ``.csv`` or ``.tsv``.
        settings
            Those of :class:`primase.apps.workflow.Ranking`, such as ``top=100`` and ``prevalence=0.001``. What the
            model was chosen or judged by is left out where it is known to be true, like what it was trained on.
        """
        check_table_path(Path(out))
        with self._threads():
            table = self.workflow.rank(self.predictor, Ranking(tested=self._known_positives(), **settings), listener)
        write_table(Path(out), [table])
        return table

    def embed(
        self, out: Path | str, inputs: Path | str | None = None, *, listener: Listener = silent, **settings: Any
    ) -> int:
        """Write the numbers that the network has for each thing it knows, or for each new example, as a table.

        Parameters
        ----------
        out
            Ends in ``.parquet``, ``.csv`` or ``.tsv``.
        inputs
            A file of new examples, where the application embeds such.
        settings
            How to read it.

        Returns
        -------
        int
            The number of rows.
        """
        check_table_path(Path(out))
        blocks = None if inputs is None else self._stream(Path(inputs), settings, listener)
        with self._threads():
            return write_table(Path(out), self.workflow.embed(self.predictor, blocks, listener))

    def generate(self, out: Path | str, *, listener: Listener = silent, **settings: Any) -> int:
        """Write new examples, such as the network has learned to make them, as a table; return their number.

        Parameters
        ----------
        out
            Ends in ``.parquet``, ``.csv`` or ``.tsv``.
        settings
            Those of :class:`primase.apps.workflow.Generation`, such as ``count=100`` and ``seed=1``.
        """
        check_table_path(Path(out))
        with self._threads():
            return write_table(Path(out), self.workflow.generate(self.predictor, Generation(**settings), listener))

    def reconstruct(self, inputs: Path | str, out: Path | str, *, listener: Listener = silent, **settings: Any) -> int:
        """Write what is left of each example of a file once it has gone through the network; return their number.

        Parameters
        ----------
        out
            Ends in ``.parquet``, ``.csv`` or ``.tsv``.
        settings
            How to read the file.
        """
        check_table_path(Path(out))
        blocks = self._stream(Path(inputs), settings, listener)
        with self._threads():
            return write_table(Path(out), self.workflow.reconstruct(self.predictor, blocks, listener))

    def evaluate(self, out: Path | str, *, listener: Listener = silent, **settings: Any) -> Evaluation:
        """Judge the model on new labelled data, named as for training; write the figures and a report.

        Examples that the model has been trained on are counted, and the figures without them stand beside.
        """
        refuse_occupied(Path(out))
        configuration = self.configured(settings)
        labelled = self.workflow.read_new(configuration, self.predictor, listener)
        examples = labelled.examples
        fingerprints = self.workflow.fingerprints(examples.inputs)
        seen = self.seen(self.workflow.identities(examples.inputs, fingerprints))
        findings = [
            *labelled.findings,
            *_seen_findings(seen),
            *audit_examples(examples, self.predictor.task, fingerprints, what=self.workflow.input_name),
            *self.workflow.audit(labelled, configuration, None, listener),
        ]
        for finding in findings:
            if finding.severity == "warning":
                listener(Notice(finding.text, "warning"))
        subsets = {} if seen is None else {"seen in training": seen, "not seen in training": ~seen}
        subsets |= self.workflow.subsets(examples, self.predictor.encoder)
        policy = self.workflow.policy(examples, configuration)
        units = self.workflow.units(examples, policy, configuration, listener)
        with self._threads():
            outputs = self.workflow.outputs(self.predictor, examples, listener)
        truth, drawn = self.workflow.truth(examples), self.workflow.resampled(examples, units, policy)
        assessment = assess(
            outputs,
            self.predictor.calibrator,
            examples,
            self.predictor.task,
            units=drawn,
            subsets={name: mask for name, mask in subsets.items() if mask.any() and not mask.all()},
            truth=truth,
            division=Division(examples.ids, np.arange(len(examples))),
        )
        ids = pl.DataFrame({"id": pl.Series(examples.ids.tolist(), dtype=pl.String)})
        known = pl.concat([ids, self.predictor.task.target_columns(truth)], how="horizontal")
        point, task = self.predictor.operating, self.predictor.task
        told = [] if point is None else [operating_remedy(point, point.judged(task, truth, assessment.after, drawn))]
        self._write_evaluation(Path(out), known, assessment, findings, told)
        return assessment.evaluation

    def _write_evaluation(
        self, out: Path, known: pl.DataFrame, assessment: Assessment, findings: list[Finding], told: Sequence[Remedy]
    ) -> None:
        """Write the figures, and the answers beside the ids and targets that are known."""
        with fresh_folder(out) as folder:
            facts = {"application": self.application.name, "model": str(self.path), "examples": len(known)}
            metrics = metrics_state(assessment.evaluation, findings, facts)
            write_json(folder / METRICS, {**metrics, **{remedy.name: dict(remedy.state) for remedy in told}})
            point = self.predictor.operating
            cuts = None if point is None else point.cuts
            predictions = self.predictor.task.prediction_columns(assessment.after, cuts)
            pl.concat([known, predictions], how="horizontal").write_parquet(folder / PREDICTIONS)
            if self.predictor.task.is_value:
                targets_table(assessment.evaluation).write_parquet(folder / TARGETS)
            page = evaluation_page(
                self.application.question,
                list(facts.items()),
                assessment.evaluation,
                findings,
                version=PRIMASE,
                further=[section for remedy in told for section in remedy.sections],
            )
            write_page(folder / REPORT, page)

    def _few(self, path: Path, settings: Mapping[str, Any], listener: Listener) -> Examples[Any]:
        """Read a file whole, if it is not too long to be looked at."""
        blocks: list[Examples[Any]] = []
        for block in self._stream(path, settings, listener):
            blocks.append(block)
            if sum(map(len, blocks)) > MOST_EXPLAINED:
                what = "there are too many records to explain at once"
                raise InputError(what, where=str(path), wanted=f"at most {MOST_EXPLAINED:,}")
        return _joined(blocks)

    def _threads(self) -> AbstractContextManager[None]:
        return cpu_threads(self.configuration.training.cpu_threads)

    def _stream(self, path: Path, settings: Mapping[str, Any], listener: Listener) -> Iterator[Examples[Any]]:
        return self.workflow.stream(path, self.configured(settings), self.predictor.encoder, listener)

    def configured(self, settings: Mapping[str, Any]) -> Configuration:
        """Keep how input was read in training, such as the names of columns, but not the input itself."""
        left = {*INPUT_WORDS, "group_column", *type(self.configuration.split).model_fields}
        kept = {name: value for name, value in settings_of(self.configuration).items() if name not in left}
        return configure(self.application.configuration, {**kept, **settings})

    def _known_positives(self) -> frozenset[str]:
        """List the ids of the positives of validation and test, as far as the bundle says."""
        path, task = self.path / PREDICTIONS, self.predictor.task
        if task.kind != "binary" or not path.exists():
            return frozenset()
        return frozenset(pl.read_parquet(path).filter(pl.col("target") == task.labels[1])["id"].to_list())

    def seen(self, identities: Fingerprints) -> np.ndarray[Any, np.dtype[np.bool_]] | None:
        """Tell which inputs the model was trained or chosen on; None where the bundle does not say."""
        path = self.path / MEMBERS
        if not path.exists():
            return None
        return was_seen(seen_hashes(self.path), identities)


def load(path: Path | str) -> Model:
    """Load a trained model.

    Raises
    ------
    BundleError
        If the folder is no bundle, a file of it was altered, or it is of a newer version of primase.
    ConfigurationError
        If it belongs to an application that is not installed.
    """
    folder = Path(path)
    bundle = read_bundle(folder)
    application = application_named(bundle.application)
    workflow = application.load()
    try:
        configuration = application.configuration.model_validate(bundle.configuration)
        task, encoder = Task.from_state(dict(bundle.task)), workflow.load_encoder(bundle.encoder)
        members = []
        configurations = workflow.member_configurations(configuration)
        for number, (own, weights) in enumerate(zip(configurations, bundle.members, strict=True)):
            network = rebuild(workflow.network(encoder, task, own), bundle.structure(number))
            network.load_state_dict(dict(weights))
            members.append(network.eval())
    except (ValidationError, KeyError, ValueError, RuntimeError) as error:
        what = f"the bundle is not one that this version of {application.name} can read"
        advice = "Install the version of primase that bundle.json names, or train anew."
        raise BundleError(what, where=str(folder), got=str(error).splitlines()[0], advice=advice) from error
    safeguards = Safeguards.from_state(bundle.safeguards)
    known = bundle.provenance.get(OPERATING_POINT)
    operating = None if known is None else OperatingPoint.from_state(known)
    calibrator = read_calibrator(dict(bundle.calibration))
    predictor = Predictor(task, encoder, tuple(members), calibrator, safeguards, operating)
    return Model(folder, application, workflow, configuration, predictor)


def predict(path: Path, inputs: Path, out: Path, *, settings: Mapping[str, Any], listener: Listener = silent) -> int:
    """Write the predictions for a file of any size as a table, or as a folder of images; return their number."""
    if application_named(str(read_facts(path).get("application"))).predicts_images:
        return load(path).draw(inputs, out, listener=listener, **settings)
    check_table_path(out)
    return write_table(out, load(path).predictions(inputs, settings, listener))


def _joined(blocks: list[Examples[Any]]) -> Examples[Any]:
    """Join blocks of examples, of which all but the inputs are arrays."""
    if len(blocks) == 1:
        return blocks[0]
    return Examples(
        ids=np.concatenate([block.ids for block in blocks]),
        inputs=type(blocks[0].inputs).concatenate([block.inputs for block in blocks]),
        targets=np.concatenate([block.targets for block in blocks]),
        covariates={
            name: np.concatenate([block.covariates[name] for block in blocks]) for name in blocks[0].covariates
        },
    )


def seen_hashes(path: Path) -> pl.Series:
    """List the hashes of what a model, and those that it started from, were trained or chosen on."""
    members = pl.read_parquet(path / MEMBERS).filter(pl.col("part").is_in(["train", "validation", "calibration"]))
    series = [members["input_hash"]]
    if (path / ANCESTORS).exists():
        series.append(pl.read_parquet(path / ANCESTORS)["input_hash"])
    return pl.concat(series).unique().sort()


def was_seen(hashes: pl.Series, identities: Fingerprints) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Tell which inputs are among those that were seen; what nothing identifies is not."""
    known = input_hashes(identities).is_in(hashes.implode()).to_numpy()
    return np.asarray(known & (identities != ""))


def _seen_findings(seen: np.ndarray[Any, np.dtype[np.bool_]] | None) -> list[Finding]:
    if seen is None:
        text = f"The bundle has no {MEMBERS}, so nobody can tell which examples the model was trained on."
        return [Finding("seen in training", 0, "warning", text)]
    count = int(seen.sum())
    if not count:
        return [
            Finding("seen in training", 0, "info", "No example has an input that the model was trained or chosen on.")
        ]
    text = (
        f"{count:,} of {len(seen):,} examples have an input that the model was trained or chosen on: their figures say "
        "what it remembers. The figures on the others stand beside."
    )
    return [Finding("seen in training", count, "warning", text)]
