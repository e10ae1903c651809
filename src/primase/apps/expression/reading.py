"""Read expression profiles from what users have: AnnData, tables in either orientation, the files of D-GEX."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, final

import numpy as np
from jaxtyping import Integer, Shaped

from primase.apps.expression.annotations import annotate, groups_of
from primase.apps.expression.checking import doubt_scale, refuse_block, refuse_missing_cells, refuse_values
from primase.apps.expression.configuration import ExpressionData
from primase.apps.expression.datasets import DATASETS, Dataset, with_own_settings
from primase.apps.expression.files import fitting, read_file
from primase.apps.expression.profiles import Profiles
from primase.apps.expression.remarks import doubted_scales, findings_of_files, findings_of_values
from primase.bio.expression import Expression, ExpressionFile, JoinedStore, ValueStore, block_rows
from primase.bio.expression_survey import Survey, survey
from primase.data.audit import Finding
from primase.data.examples import Examples
from primase.data.splits import PARTS, Part
from primase.errors import ConfigurationError, InputError
from primase.events import Listener, Notice, silent

MissingGenes = Literal["refuse", "mean"]

_PREFIXES: Final[Mapping[Part, str]] = {"train": "", "validation": "validation_", "test": "test_"}
_SHOWN: Final = 10
_BLOCK_SAMPLES: Final = 1024


@final
@dataclass(frozen=True, slots=True, eq=False)
class ReadProfiles:
    """What a user's files say.

    Parameters
    ----------
    ids
        The name of each sample, dtype object.
    profiles
        All samples with all genes, on the modelled scale.
    annotations
        Columns of words about the samples, by name; an empty text where nothing is known.
    parts
        The part of each sample where files are given apart, else None.
    groups
        Under the name of the group column, the group of each sample.
    findings
        What was odd, and how the files were understood.
    """

    ids: Shaped[np.ndarray, "examples"]
    profiles: Profiles
    annotations: Mapping[str, Shaped[np.ndarray, "examples"]]
    parts: Shaped[np.ndarray, "examples"] | None
    groups: Mapping[str, Integer[np.ndarray, "examples"]]
    findings: Sequence[Finding]

    def examples(self) -> Examples[Profiles]:
        """Lay everything out as examples, which have no targets yet: shape (examples, 0)."""
        return Examples(
            ids=self.ids,
            inputs=self.profiles,
            targets=np.empty((len(self.ids), 0), dtype=np.float32),
            groups=self.groups,
            parts=self.parts,
            covariates=self.annotations,
        )


def read_profiles(
    data: ExpressionData,
    listener: Listener = silent,
    sources: Mapping[str, Dataset] | None = None,
    *,
    learned_raw: bool | None = None,
) -> ReadProfiles:
    """Read labelled or unlabelled profiles to train on, from files or a registered data set.

    Parameters
    ----------
    data
        What the user named; what a registered data set says of itself gives way to it.
    sources
        The registered data sets by name; all of them by default.
    learned_raw
        Whether a model that is to judge these profiles has learned from raw values; unless the settings name a scale,
        files are read on the model's, and those that do not look like it are a finding. None without a model.

    Raises
    ------
    InputError
        If the input is not what it should be.
    """
    named = data.scale
    data = resolve(data, DATASETS if sources is None else sources, listener)
    if learned_raw is not None:
        data = data.model_copy(update={"scale": named})
    files = _files(data)
    # A trained model may be asked of a file of another kind than it was trained on.
    suited = {path: data if learned_raw is None else fitting(data, path) for path in files.values()}
    read = {part: read_file(path, suited[path]) for part, path in files.items()}
    _refuse_shared_ids(read)
    surveys = {part: survey(file.matrix) for part, file in read.items()}
    raw, why = _scale(data, surveys["train"], learned_raw=learned_raw)
    for part, file in read.items():
        refuse_values(file, surveys[part], raw=raw)
        refuse_missing_cells(file, surveys[part], data)
    stores = [Expression(file.matrix, file.genes, raw) for file in read.values()]
    store, shared = _joined(stores, [*read.values()])
    findings = [
        *findings_of_files([*read.values()]),
        *findings_of_values([*read.values()], [*surveys.values()], stores, raw=raw, why=why),
        *shared,
    ]
    if data.scale == "auto":
        learned = "train has" if learned_raw is None else "the model has learned from"
        findings += doubted_scales([*read.values()], [*surveys.values()], raw=raw, learned=learned)
    return _described(data, read, Profiles.whole(store), findings)


def _described(
    data: ExpressionData,
    read: Mapping[Part, ExpressionFile],
    profiles: Profiles,
    findings: Sequence[Finding],
) -> ReadProfiles:
    """Put what is known of the samples beside their profiles."""
    annotations = annotate(data, [*read.values()])
    ids = np.concatenate([file.ids for file in read.values()])
    groups, ungrouped = groups_of(data, annotations, ids)
    names = [part for part, file in read.items() for _ in range(len(file.ids))]
    parts = np.array(names, dtype=object) if len(read) > 1 else None
    every = [*findings, *annotations.findings, *ungrouped]
    return ReadProfiles(ids, profiles, annotations.columns, parts, groups, every)


def resolve(data: ExpressionData, sources: Mapping[str, Dataset], listener: Listener) -> ExpressionData:
    """Put the files of a registered data set in its place.

    Raises
    ------
    ConfigurationError
        If there is no such data set.
    """
    if data.dataset is None:
        return data
    if data.dataset not in sources:
        what = "this data set holds no expression profiles"
        raise ConfigurationError(what, where=f"--dataset {data.dataset}", wanted=", ".join(sources))
    return with_own_settings(data).model_copy(update={"dataset": None, **sources[data.dataset](listener)})


def _files(data: ExpressionData) -> dict[Part, Path]:
    """List the files that are given, part by part."""
    word = "h5ad" if data.h5ad is not None else "table"
    found = {part: getattr(data, f"{_PREFIXES[part]}{word}") for part in PARTS}
    files: dict[Part, Path] = {part: path for part, path in found.items() if path is not None}
    if "train" not in files:
        what = "there is no input"
        raise InputError(what, wanted="--dataset NAME, --h5ad FILE, or --table FILE")
    return files


def _refuse_shared_ids(read: Mapping[Part, ExpressionFile]) -> None:
    owner: dict[str, Part] = {}
    for part, file in read.items():
        for name in file.ids.tolist():
            if owner.setdefault(name, part) != part:
                what = "a sample name stands twice"
                got = f"{name!r}, which stands in {read[owner[name]].where} too"
                raise InputError(what, where=file.where, got=got, wanted="a different name per sample")


def _scale(data: ExpressionData, found: Survey, *, learned_raw: bool | None) -> tuple[bool, str]:
    if data.scale != "auto":
        return data.scale == "raw", "as --scale says"
    if learned_raw is not None:
        return learned_raw, "as in training"
    raw, why = found.guess_raw()
    other = "log" if raw else "raw"
    return raw, f"because {why}; if that is wrong, say --scale {other}"


def _joined(stores: Sequence[Expression], files: Sequence[ExpressionFile]) -> tuple[ValueStore, list[Finding]]:
    """Put the parts below each other, with the genes that all of them have."""
    if len(stores) == 1:
        return stores[0], []
    sets = [frozenset(store.genes) for store in stores]
    genes = [name for name in stores[0].genes if all(name in others for others in sets)]
    everything = {name for store in stores for name in store.genes}
    if not genes:
        what = "the parts have no gene in common"
        got = ", ".join(files[1].genes[:3]) + ", …"
        raise InputError(what, where=files[1].where, got=got, wanted=", ".join(files[0].genes[:3]) + ", …")
    findings = []
    if len(genes) < len(everything):
        left = len(everything) - len(genes)
        text = f"{left:,} of {len(everything):,} genes are not in all parts, and are left out."
        findings.append(Finding("genes not in all parts", left, "warning", text))
    return JoinedStore.of(stores, genes), findings


def stream_profiles(
    path: Path,
    data: ExpressionData,
    genes: Sequence[str],
    listener: Listener = silent,
    *,
    raw: bool,
    missing_genes: MissingGenes = "refuse",
) -> Iterator[Examples[Profiles]]:
    """Read profiles to predict or embed, block by block, with the genes that a model needs, in its order.

    Parameters
    ----------
    path
        An ``.h5ad`` or ``.gctx`` file, or a table in either orientation. Other genes in it are not used.
    genes
        The genes that the model needs.
    raw
        Whether the values of the training files were raw; those of this file must be on the same scale.
    missing_genes
        Whether a gene that the file lacks is refused, or left missing (NaN) so that the scaler fills it with its mean
        of training.

    Raises
    ------
    InputError
        If the file cannot be read, a gene is missing (all are counted, and up to ten named), or a value is.
    """
    if data.scale != "auto" and (data.scale == "raw") != raw:
        what = "the model has learned from values on the other scale, and predicts such"
        wanted = f"--scale {'raw' if raw else 'log'}, and a file that is"
        raise ConfigurationError(what, where=f"--scale {data.scale}", wanted=wanted)
    data = fitting(data, path)
    file = read_file(path, data, known_genes=frozenset(genes))
    store = Expression(file.matrix, file.genes, raw)
    columns = _needed(file, store, genes, listener, missing_genes)
    annotations = annotate(data, [file], needed=False)
    step = min(_BLOCK_SAMPLES, block_rows(len(store.genes)))
    present = np.flatnonzero(columns >= 0)
    for start in range(0, len(store), step):
        rows = np.arange(start, min(start + step, len(store)))
        values = np.full((len(rows), len(genes)), np.nan, dtype=np.float32)
        with np.errstate(invalid="ignore", divide="ignore"):  # what cannot be a logarithm is named below
            values[:, present] = store.values(rows, columns[present])
        refuse_block(file, genes, present, values, start, data, raw=raw)
        if start == 0:
            doubt_scale(file, values[:, present], listener, raw=raw)
        yield Examples(
            ids=file.ids[rows],
            inputs=Profiles.of_values(genes, values),
            targets=np.empty((len(rows), 0), dtype=np.float32),
            covariates={name: column[rows] for name, column in annotations.columns.items()},
        )


def _needed(
    file: ExpressionFile, store: Expression, genes: Sequence[str], listener: Listener, missing_genes: MissingGenes
) -> Integer[np.ndarray, "genes"]:
    """Find the place of each gene, -1 for one that is missing."""
    place_of = {name: place for place, name in enumerate(store.genes)}
    columns = np.array([place_of.get(name, -1) for name in genes], dtype=np.int64)
    missing = [name for name, column in zip(genes, columns.tolist(), strict=True) if column < 0]
    if not missing:
        return columns
    shown = ", ".join(missing[:_SHOWN]) + (", …" if len(missing) > _SHOWN else "")
    what = f"{len(missing):,} of the {len(genes):,} genes that the model needs are missing"
    if len(missing) == len(genes):
        swapped = len({*genes} & {*file.ids.tolist()})
        got = f"samples called {', '.join(file.ids[:3])} and genes called {', '.join(file.genes[:3])}"
        advice = "Samples and genes seem to have changed places: see --orientation." if swapped else None
        raise InputError(what, where=file.where, got=got, wanted=shown, advice=advice)
    if missing_genes == "refuse":
        advice = "Say --missing-genes mean to fill them with their means of training; predictions are worse then."
        raise InputError(what, where=file.where, got=f"without {shown}", wanted="all of them", advice=advice)
    text = f"{file.where}: {what}, and are filled with their means of training: {shown}"
    listener(Notice(text, "warning"))
    return columns
