"""What a trained auto-encoder writes: the latent numbers of samples, what is left of them, and new samples."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import polars as pl
import torch
from jaxtyping import Float, Int, Shaped

from primase.apps.expression.profiles import Profiles
from primase.apps.expression_embedding.encoding import ProfileEncoder, profile_encoder, shown
from primase.apps.expression_embedding.learning import vae
from primase.apps.workflow import Generation
from primase.data.examples import Examples
from primase.errors import ConfigurationError
from primase.events import Listener, Progress
from primase.predictor.predictor import Predictor

BLOCK: Final = 1024
"""So many samples are made at a time, never fewer: what is not asked for is cut off, so that a new sample depends on
the seed, its place and the condition that is asked for, and not on how many there are."""


def embedding_of(predictor: Predictor[Profiles], inputs: Profiles) -> Float[np.ndarray, "samples latent"]:
    """Compute the mean of the latent distribution of each sample, by the first network."""
    network, encoded = vae(predictor.members[0]).eval(), predictor.encoder.encode(inputs)
    size = profile_encoder(predictor.encoder).encode(inputs).largest_batch
    blocks = [np.empty((0, network.latent))]
    with torch.inference_mode():
        for start in range(0, len(encoded), size):
            batch = encoded.batch(np.arange(start, min(start + size, len(encoded))))
            blocks.append(network.embed(**batch)[0].double().numpy())
    return np.concatenate(blocks)


def embedding_tables(
    predictor: Predictor[Profiles], blocks: Iterator[Examples[Profiles]], listener: Listener
) -> Iterator[pl.DataFrame]:
    """Write ``id`` and ``latent_1`` and on, block by block."""
    done = 0
    for block in blocks:
        embedding = embedding_of(predictor, block.inputs)
        done += len(block)
        listener(Progress("embed", done, None, "samples"))
        yield _table(
            {"id": _words(block.ids)}, {latent_name(place): column for place, column in enumerate(embedding.T)}
        )


def reconstruction_tables(
    predictor: Predictor[Profiles], blocks: Iterator[Examples[Profiles]], listener: Listener
) -> Iterator[pl.DataFrame]:
    """Write ``id`` and a column per gene on the scale of the files, block by block."""
    own, done = profile_encoder(predictor.encoder), 0
    for block in blocks:
        values = _on_file_scale(own, predictor.outputs(block.inputs))
        done += len(block)
        listener(Progress("reconstruct", done, None, "samples"))
        yield _table({"id": _words(block.ids)}, dict(zip(own.genes, values.T, strict=True)))


def generated_tables(
    predictor: Predictor[Profiles], generation: Generation, listener: Listener
) -> Iterator[pl.DataFrame]:
    """Write ``id``, the condition if there is one, and a column per gene on the scale of the files, block by block.

    Raises
    ------
    ConfigurationError
        If a condition is asked for that the network does not know.
    """
    own = profile_encoder(predictor.encoder)
    asked, seed = _asked(own, generation), generation.seed
    total = generation.count if asked is None else len(asked)
    for start in range(0, total, BLOCK):
        block, kept = start // BLOCK, min(BLOCK, total - start)
        if asked is None:
            groups = in_shares_of_training(predictor, BLOCK, seed, block=block)
        else:
            groups = np.pad(asked[start : start + kept], (0, BLOCK - kept), mode="edge")
        values = _on_file_scale(own, drawn_samples(predictor, groups, seed=seed, block=block)[:kept])
        chosen = groups[:kept]
        first = {"id": pl.Series([f"generated_{start + place + 1}" for place in range(kept)], dtype=pl.String)}
        if own.conditions:
            words = np.asarray(own.conditions, dtype=object)[chosen]
            first[own.condition_column] = _words(words)
        listener(Progress("generate", start + kept, total, "samples"))
        yield _table(first, dict(zip(own.genes, values.T, strict=True)))


def drawn_samples(
    predictor: Predictor[Profiles], groups: Int[np.ndarray, "samples"], *, seed: int, block: int = 0
) -> Float[np.ndarray, "samples genes"]:
    """Draw new samples of these conditions, all 0 where there are none, on the modelled scale.

    Of several networks each makes its share.
    """
    own, found = (
        profile_encoder(predictor.encoder),
        np.empty((len(groups), len(profile_encoder(predictor.encoder).genes))),
    )
    for number, member in enumerate(predictor.members):
        network = vae(member).eval()
        mine = np.arange(number, len(groups), len(predictor.members))
        if not len(mine):
            continue
        generator = torch.Generator().manual_seed(_seed(seed, block, number))
        chosen = torch.from_numpy(groups[mine].astype(np.int64))
        with torch.inference_mode():
            known = network.known({"condition": chosen}, len(chosen))
            values, zeros = network.scattered(network.latent_of(chosen, generator), known, generator)
        found[mine] = own.decode(values.numpy()) if zeros is None else values.numpy()
    return found


def in_shares_of_training(
    predictor: Predictor[Profiles], count: int, seed: int, *, block: int = 0
) -> Int[np.ndarray, "samples"]:
    """Choose conditions in the shares that they had in train; all 0 where there are none."""
    generator = torch.Generator().manual_seed(_seed(seed, block, 10_007))
    return np.asarray(vae(predictor.members[0]).prior.choose(count, generator).numpy())


def latent_name(place: int) -> str:
    """Name a dimension of the embedding, counted from 1."""
    return f"latent_{place + 1}"


def _asked(own: ProfileEncoder, generation: Generation) -> Int[np.ndarray, "samples"] | None:
    if not generation.conditions:
        return None
    if not own.conditions:
        what = "the model was told nothing but profiles, and so makes samples of no particular kind"
        advice = "Train one with --condition-column, such as the type of tumour."
        raise ConfigurationError(what, where="condition", got=shown(generation.conditions), advice=advice)
    strange = [word for word in generation.conditions if word not in own.conditions]
    if strange:
        what = f"the model knows no such {own.condition_column}"
        raise ConfigurationError(what, where="condition", got=shown(strange), wanted=shown(own.conditions))
    return np.repeat([own.conditions.index(word) for word in generation.conditions], generation.count)


def _on_file_scale(
    own: ProfileEncoder, values: Float[np.ndarray, "samples genes"]
) -> Float[np.ndarray, "samples genes"]:
    """Undo the logarithm; where files have raw values, none is below zero."""
    return own.to_file(np.asarray(values, dtype=np.float64))


def _table(first: dict[str, pl.Series], columns: dict[str, np.ndarray]) -> pl.DataFrame:
    numbers = {
        name: pl.Series(name, np.ascontiguousarray(column, dtype=np.float32)) for name, column in columns.items()
    }
    return pl.DataFrame({**{name: column.alias(name) for name, column in first.items()}, **numbers})


def _words(words: Shaped[np.ndarray, "samples"]) -> pl.Series:
    return pl.Series([str(word) for word in words.tolist()], dtype=pl.String)


def _seed(seed: int, block: int, member: int) -> int:
    return (seed * 1_000_003 + block * 7_919 + member * 104_729 + 1) % 2**63
