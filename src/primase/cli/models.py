"""Commands that act on a trained model: evaluate, predict, explain, scan, rank, embed, generate, reconstruct."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from primase.apps.contract import Application
from primase.cli.bundles import BundleCommands, OutOption
from primase.cli.display import listening, print_table, printed
from primase.cli.options import CommaSeparated, configuration_options, given
from primase.cli.precautions import precaution_options
from primase.data.words import BESIDE_WORDS, INPUT_WORDS


def _records_command(
    application: Application, verb: str, help_text: str
) -> Callable[[Callable[..., None]], click.Command]:
    """Make a command of a function of ``input_path``, ``out`` and the settings by which records are read."""

    def made(function: Callable[..., None]) -> click.Command:
        reading = configuration_options(application.configuration, ["data"], without=INPUT_WORDS - BESIDE_WORDS)
        argument = click.argument("input_path", metavar="INPUT", type=click.Path(path_type=Path))
        return click.command(verb, help=help_text)(argument(reading(OutOption(function))))

    return made


def _evaluate_command(application: Application, folder: Path) -> click.Command:
    @click.command("evaluate", help="Judge the model on new labelled data.")
    @configuration_options(application.configuration, ["data"])
    @OutOption
    def command(out: Path, **settings: Any) -> None:
        # The pipeline loads torch, which the help texts do not need.
        from primase import models  # noqa: PLC0415

        with listening() as listener:
            evaluation = models.load(folder).evaluate(out, listener=listener, **given(settings))
        rows = [[name, str(interval)] for name, interval in evaluation.test.items()]
        print_table(["metric", "value [95 % interval]"], rows)
        printed(f"report: {out / 'report.html'}")

    return command


def _predict_command(application: Application, folder: Path) -> click.Command:
    made = "images" if application.predicts_images else "predictions"

    @_records_command(application, "predict", "Predict for every record of INPUT.")
    @precaution_options(application)
    def command(input_path: Path, out: Path, **settings: Any) -> None:
        # The pipeline loads torch, which the help texts do not need.
        from primase import models  # noqa: PLC0415

        with listening() as listener:
            rows = models.predict(folder, input_path, out, settings=given(settings), listener=listener)
        printed(f"Wrote {rows:,} {made} to {out}")

    return command


def _explain_command(application: Application, folder: Path) -> click.Command:
    @_records_command(application, "explain", "Show what in each record of INPUT made the model say what it says.")
    def command(input_path: Path, out: Path, **settings: Any) -> None:
        # The pipeline loads torch, which the help texts do not need.
        from primase import models  # noqa: PLC0415

        with listening() as listener:
            models.load(folder).explain(input_path, out, listener=listener, **given(settings))
        printed(f"Wrote {out / 'attributions.parquet'} and {out / 'report.html'}")

    return command


def _scan_command(application: Application, folder: Path) -> click.Command:
    del application

    @click.command("scan", help="Predict for windows along INPUT: FASTA of a genome, or a BED file of regions.")
    @click.argument("inputs", metavar="INPUT", type=click.Path(path_type=Path))
    @click.option("--genome", type=click.Path(path_type=Path), help="FASTA of the genome that the regions lie on.")
    @click.option("--window", type=click.IntRange(min=1), help="Letters of a window; by default what the model reads.")
    @click.option("--stride", type=click.IntRange(min=1), help="Letters from one window to the next; by default half.")
    @click.option("--target", "targets", multiple=True, help="Only this target; may be given several times.")
    @click.option("--minimum", type=click.FloatRange(0, 1), help="Least probability in a BED file.  [default: 0.5]")
    @click.option("--chromosomes", type=CommaSeparated(str), help="Only these chromosomes.")
    @click.option("--resume", is_flag=True, help="Go on with an interrupted scan.")
    @OutOption
    def command(inputs: Path, out: Path, **settings: Any) -> None:
        # The pipeline loads torch, which the help texts do not need.
        from primase import models  # noqa: PLC0415

        with listening() as listener:
            written = models.load(folder).scan(inputs, out, listener=listener, **given(settings))
        printed(*(f"Wrote {path}" for path in written))

    return command


def _rank_command(application: Application, folder: Path) -> click.Command:
    del application

    @click.command("rank", help="List the untested pairs that the model is surest of.")
    @click.option("--top", type=click.IntRange(min=1), help="How many pairs.  [default: 1000]")
    @click.option(
        "--prevalence",
        type=click.FloatRange(0, 1, min_open=True, max_open=True),
        help="The share of all pairs that you believe to interact; by default what the known links make up.",
    )
    @click.option("--among", multiple=True, type=CommaSeparated(str), help="Only pairs with one of these proteins.")
    @OutOption
    def command(out: Path, among: tuple[tuple[str, ...], ...], **settings: Any) -> None:
        # The pipeline loads torch, which the help texts do not need.
        from primase import models  # noqa: PLC0415

        names = tuple(name for several in among for name in several)
        with listening() as listener:
            table = models.load(folder).rank(out, listener=listener, among=names, **given(settings))
        printed(
            f"Wrote {len(table):,} pairs to {out}; probabilities are for a prevalence of {table['prevalence'][0]:.2g}"
        )

    return command


def _embed_command(application: Application, folder: Path) -> click.Command:
    if application.embeds_new:
        return _embed_new_command(application, folder)

    @click.command("embed", help="Write the embedding of everything that the model knows.")
    @OutOption
    def command(out: Path) -> None:
        # The pipeline loads torch, which the help texts do not need.
        from primase import models  # noqa: PLC0415

        with listening() as listener:
            rows = models.load(folder).embed(out, listener=listener)
        printed(f"Wrote {rows:,} rows to {out}")

    return command


def _embed_new_command(application: Application, folder: Path) -> click.Command:
    @_records_command(application, "embed", "Write the embedding of every record of INPUT.")
    def command(input_path: Path, out: Path, **settings: Any) -> None:
        # The pipeline loads torch, which the help texts do not need.
        from primase import models  # noqa: PLC0415

        with listening() as listener:
            rows = models.load(folder).embed(out, input_path, listener=listener, **given(settings))
        printed(f"Wrote {rows:,} rows to {out}")

    return command


def _generate_command(application: Application, folder: Path) -> click.Command:
    del application

    @click.command("generate", help="Make new examples, such as the model has learned to make them.")
    @click.option("--count", type=click.IntRange(min=1), help="How many; of each condition.  [default: 100]")
    @click.option(
        "--condition",
        "conditions",
        multiple=True,
        help="Of this kind, by the column that the model was conditioned on; may be given several times.",
    )
    @click.option("--seed", type=click.IntRange(min=0), help="Decides what is drawn.  [default: 0]")
    @OutOption
    def command(out: Path, **settings: Any) -> None:
        # The pipeline loads torch, which the help texts do not need.
        from primase import models  # noqa: PLC0415

        with listening() as listener:
            rows = models.load(folder).generate(out, listener=listener, **given(settings))
        printed(f"Wrote {rows:,} made examples to {out}")

    return command


def _reconstruct_command(application: Application, folder: Path) -> click.Command:
    @_records_command(application, "reconstruct", "Write what is left of every record of INPUT behind the network.")
    def command(input_path: Path, out: Path, **settings: Any) -> None:
        # The pipeline loads torch, which the help texts do not need.
        from primase import models  # noqa: PLC0415

        with listening() as listener:
            rows = models.load(folder).reconstruct(input_path, out, listener=listener, **given(settings))
        printed(f"Wrote {rows:,} reconstructions to {out}")

    return command


@click.group(cls=BundleCommands, make=_evaluate_command, subcommand_metavar="DIR INPUTS --out DIR2")
def evaluate() -> None:
    """Judge a trained model on new labelled data; it warns of examples that the model was trained on."""


@click.group(cls=BundleCommands, make=_predict_command, subcommand_metavar="DIR INPUT --out FILE")
def predict() -> None:
    """Predict with a trained model; FILE ends in .parquet, .csv or .tsv, or is a folder where images are made."""


@click.group(cls=BundleCommands, make=_explain_command, subcommand_metavar="DIR INPUT --out DIR2")
def explain() -> None:
    """Show why a trained model says what it says."""


@click.group(cls=BundleCommands, make=_scan_command, subcommand_metavar="DIR INPUT --out FILE")
def scan() -> None:
    """Slide a trained model along a genome; FILE ends in .parquet, .bed or .bw (bigWig)."""


@click.group(cls=BundleCommands, make=_rank_command, subcommand_metavar="DIR --out FILE")
def rank() -> None:
    """List the most probable of all that has not been tested; FILE ends in .parquet, .csv or .tsv."""


@click.group(cls=BundleCommands, make=_embed_command, subcommand_metavar="DIR [INPUT] --out FILE")
def embed() -> None:
    """Write the numbers that a model has for each thing; FILE ends in .parquet, .csv or .tsv."""


@click.group(cls=BundleCommands, make=_generate_command, subcommand_metavar="DIR --out FILE")
def generate() -> None:
    """Make new examples with a trained model; FILE ends in .parquet, .csv or .tsv."""


@click.group(cls=BundleCommands, make=_reconstruct_command, subcommand_metavar="DIR INPUT --out FILE")
def reconstruct() -> None:
    """Show what a trained model keeps of each example; FILE ends in .parquet, .csv or .tsv."""
