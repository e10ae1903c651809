"""How long an epoch of a graph auto-encoder takes, and how much memory, beside PyTorch Geometric and a dense decoder.

Ways to learn the same network (graph convolutions of 32 and 16 numbers on the identity matrix, inner product) on
the same graph, a step being one pass over all of its links:

- ``pyg``: PyTorch Geometric's example of a graph auto-encoder, whose loss draws as many negatives as there are links;
- ``dense``: the loss over all pairs of nodes as in the code of Kipf and Welling (2016), on the dense matrix of scores;
- ``exact``: the preset "paper" of the package, the same loss in blocks;
- ``exact, fit`` and ``sampled, fit``: the same, and from the links and as many negatives that were drawn before, with
  all that belongs to the package's ``fit``, such as the table of pairs.

The first three are bare loops. Each runs in a process
of its own, whose most memory while it trains is given less that of a process that has imported the same and read the
graph (``idle``). Needs Linux.

    python benchmarks/graph_step.py --out benchmarks/results/graph_step.jsonl
    python benchmarks/graph_step.py --scale whole,fan-out --out benchmarks/results/graph_step.jsonl

With ``--scale``, ``primase train protein-interaction`` runs from end to end on a random graph of 100,000 nodes and
1,000,000 links whose degrees have a heavy tail, two epochs of one network.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import lightning.pytorch as lightning
import numpy as np
import polars as pl
import torch
from torch import nn
from torch.nn import functional
from torch_geometric.nn import GAE, GCNConv

from journal import Journal, print_rows
from primase.apps.protein_interaction.configuration import InteractionConfiguration
from primase.apps.protein_interaction.labelling import INTERACTION
from primase.apps.protein_interaction.model import InteractionNetwork, ProteinEmbedding, View
from primase.apps.protein_interaction.pairs import ProteinPairs, Proteins
from primase.apps.protein_interaction.workflow import InteractionWorkflow
from primase.bio.graphs import Graph, Pairs, pair_keys, pairs_of_keys
from primase.configuration import configure
from primase.data.encoding import SupervisedBatches
from primase.data.examples import Examples
from primase.data.negatives import uniform_negatives
from primase.events import silent
from primase.training.fit import fit

PROGRAM: Final = "from primase.cli.main import main; main()"
CONTENDERS: Final = ("idle", "pyg", "dense", "exact", "exact, fit", "sampled, fit")
VARIANTS: Final[Mapping[str, list[str]]] = {
    "whole": [],
    "fan-out": ["--fan-out", "10,10"],
    "fan-out, learned embedding": ["--fan-out", "10,10", "--spectral", "0", "--folds", "0"],
}
WIDTHS: Final = (32, 16)


def main() -> None:
    """Measure what is missing, then print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="JSON lines to append to")
    parser.add_argument("--steps", type=int, default=6, help="epochs per round; the first is not counted (default: 6)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", default="1,2", help="numbers of threads (default: 1,2)")
    parser.add_argument("--scale", default="", help=f"train on the large graph instead: {', '.join(VARIANTS)}")
    parser.add_argument("--limit", type=int, default=3600, help="seconds that each training may take (default: 3600)")
    options = parser.parse_args()
    journal = Journal(options.out)
    if options.scale:
        for variant in options.scale.split(","):
            if not journal.matching({"scale": variant}):
                journal.add({"scale": variant}, {**train_large(VARIANTS[variant], options.limit), **today()})
    else:
        for number in range(options.rounds):
            for threads in map(int, options.threads.split(",")):
                for name in CONTENDERS:
                    key = {"contender": name, "threads": threads, "round": number}
                    if not journal.matching(key):
                        journal.add(key, {**in_a_process(name, threads, options.steps), **today()})
    print_steps(journal)
    print_scale(journal)


def today() -> dict[str, str]:
    """Say when."""
    return {"date": time.strftime("%Y-%m-%d")}


def print_steps(journal: Journal) -> None:
    """Print a row per contender and number of threads: the least time of the rounds, the median of the memory."""
    rows = [["threads", "contender", "seconds an epoch", "processor seconds", "peak MiB above idle"]]
    for threads in sorted({record["threads"] for record in journal.records if "contender" in record}):
        idle = journal.matching({"contender": "idle", "threads": threads})
        for name in CONTENDERS[1:]:
            records = journal.matching({"contender": name, "threads": threads})
            if not (records and idle):
                continue
            seconds = [f"{min(record[kind] for record in records):.3f}" for kind in ("seconds", "processor_seconds")]
            peaks = [statistics.median(record["peak_mib"] for record in chosen) for chosen in (records, idle)]
            rows.append([str(threads), name, *seconds, f"{peaks[0] - peaks[1]:,.0f}"])
    print_rows(rows)


def print_scale(journal: Journal) -> None:
    """Print a row per training on the large graph: what each stage took."""
    records = [record for record in journal.records if "scale" in record]
    stages = sorted({stage for record in records for stage in record["stages"]})
    rows = [["variant", *(f"{stage}, s" for stage in stages), "peak MiB"]]
    for record in records:
        seconds = [f"{record['stages'].get(stage, float('nan')):.0f}" for stage in stages]
        rows.append([record["scale"], *seconds, f"{record['peak_mib']:,.0f}"])
    print_rows(rows)


def in_a_process(name: str, threads: int, steps: int) -> dict[str, float]:
    """Run alone, so that the memory is its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(measured, (name, threads, steps))


def measured(name: str, threads: int, steps: int) -> dict[str, float]:
    """Take some steps, and say how long one takes and how much memory there was."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    run: Mapping[str, Callable[[Graph, int], Clock]] = {
        "idle": idle,
        "pyg": geometric,
        "dense": dense,
        "exact": exact,
        "exact, fit": lambda graph, steps: package(graph, steps, {}),
        "sampled, fit": lambda graph, steps: package(graph, steps, {"pairs": "sampled"}),
    }
    clock = run[name](yeast(), steps)
    return {**clock.medians(), "peak_mib": peak_memory_mib()}


def peak_memory_mib() -> float:
    """Tell the most memory that the process has held since the peak was forgotten."""
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) / 2**10


def forget_peak() -> None:
    """Let the most memory be what there is now: making examples is no part of training."""
    Path("/proc/self/clear_refs").write_text("5")


class Clock(lightning.Callback):
    """Notes when steps end, on the wall and by the processor."""

    def __init__(self) -> None:
        self.ends: list[tuple[float, float]] = []

    def on_train_batch_end(self, *_: Any) -> None:
        """Note the time."""
        self.ends.append((time.perf_counter(), time.process_time()))

    def medians(self) -> dict[str, float]:
        """Give the median time of a step, without the first."""
        if len(self.ends) < 2:
            return {"seconds": 0.0, "processor_seconds": 0.0}
        taken = np.median(np.diff(np.array(self.ends), axis=0), axis=0)
        return {"seconds": round(float(taken[0]), 4), "processor_seconds": round(float(taken[1]), 4)}


def yeast() -> Graph:
    """Read the training links of the yeast network."""
    path = Path(os.environ["PRIMASE_MIRROR"]) / "ppi" / "yeast_train_edges.tsv.gz"
    table = pl.read_csv(path, separator="\t", schema_overrides=[pl.String, pl.String])
    names, places = np.unique(np.asarray(table.to_numpy(), dtype=object), return_inverse=True)
    return Graph.of(names.tolist(), places.reshape(-1, 2))


def idle(graph: Graph, steps: int) -> Clock:
    """Do nothing with the graph."""
    del steps
    assert len(graph.adjacency.indices)
    forget_peak()
    return Clock()


class Unchanged(nn.Identity):
    """The first layer's weights times the identity matrix: the embedding itself."""

    def reset_parameters(self) -> None:
        """Do nothing; the example resets its layers."""


class Encoder(nn.Module):
    """The two layers of the example; of identity features its first weight matrix is an embedding per node."""

    def __init__(self, nodes: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(nodes, WIDTHS[0])
        self.first = GCNConv(WIDTHS[0], WIDTHS[0], cached=True)
        self.first.lin = Unchanged()
        self.second = GCNConv(*WIDTHS, cached=True)

    def forward(self, links: torch.Tensor) -> torch.Tensor:
        """Embed all nodes."""
        embedded: torch.Tensor = self.second(self.first(self.embedding.weight, links).relu(), links)
        return embedded


def bare(model: nn.Module, steps: int, loss: Callable[[], torch.Tensor]) -> Clock:
    """Train with plain PyTorch."""
    clock, optimizer = Clock(), torch.optim.Adam(model.parameters(), lr=0.01)
    forget_peak()
    for _ in range(steps):
        optimizer.zero_grad()
        loss().backward()  # type: ignore[no-untyped-call]  # untyped in torch
        optimizer.step()
        clock.on_train_batch_end()
    return clock


def both_ways(graph: Graph) -> torch.Tensor:
    """List every link in both directions."""
    return torch.from_numpy(np.ascontiguousarray(np.concatenate([graph.edges, graph.edges[:, ::-1]]).T))


def geometric(graph: Graph, steps: int) -> Clock:
    """Train as PyTorch Geometric's example does: each link once, and as many negatives that are drawn anew."""
    model, links, once = GAE(Encoder(len(graph))), both_ways(graph), torch.from_numpy(graph.edges.T.copy())
    return bare(model, steps, lambda: model.recon_loss(model.encode(links), once))


def dense(graph: Graph, steps: int) -> Clock:
    """Train with the matrix of all scores, weighted as in the paper."""
    nodes, entries = len(graph), 2 * len(graph.edges)
    wanted = torch.from_numpy(graph.adjacency.toarray()).fill_diagonal_(1)
    weight = torch.tensor((nodes**2 - entries) / entries)
    norm = nodes**2 / (2 * (nodes**2 - entries))
    model, links = Encoder(nodes), both_ways(graph)

    def loss() -> torch.Tensor:
        embedded = model(links)
        return norm * functional.binary_cross_entropy_with_logits(embedded @ embedded.T, wanted, pos_weight=weight)

    return bare(model, steps, loss)


def exact(graph: Graph, steps: int) -> Clock:
    """Train with the network and the loss of the package."""
    settings = configure(InteractionConfiguration, {"preset": "paper"}).network
    whole = View(graph, np.zeros((len(graph), 0), dtype=np.float32), np.zeros(0, dtype=np.float32))
    network = InteractionNetwork(ProteinEmbedding(None, [whole], settings), settings, len(graph)).train()
    return bare(network, steps, network.exact_loss)


def package(graph: Graph, steps: int, settings: Mapping[str, object]) -> Clock:
    """Train with the package as its preset says."""
    configuration = configure(InteractionConfiguration, {"preset": "paper", "epochs": 1, "device": "cpu", **settings})
    negatives = uniform_negatives(graph, len(graph.edges), seed=0)
    nodes = np.concatenate([graph.edges, negatives])
    targets = np.repeat([1, 0], [len(graph.edges), len(negatives)])
    pairs = ProteinPairs(nodes, Proteins(graph.names))
    examples = Examples(np.full(len(nodes), "", dtype=object), pairs, targets)
    few = np.arange(0, len(nodes), len(nodes) // 64)
    workflow, clock = InteractionWorkflow(), Clock()
    encoder = workflow.fit_encoder(examples, configuration, silent)
    network = workflow.network(encoder, INTERACTION, configuration)
    given = workflow.fit_options(encoder, INTERACTION, examples, configuration)
    positions = np.arange(1 if configuration.network.pairs == "exact" else len(nodes))
    options = replace(given, sampler=Repeated(positions, steps), callbacks=[clock])
    train, validation = (
        SupervisedBatches(encoder.encode(part.inputs), part.targets) for part in (examples, examples.take(few))
    )
    forget_peak()
    with tempfile.TemporaryDirectory() as folder:
        fit(network, train, validation, configuration.training, seed=0, folder=Path(folder), options=options)
    return clock


class Repeated(torch.utils.data.Sampler[Any]):
    """The same batch again and again: each is a pass over all links."""

    def __init__(self, positions: Any, steps: int) -> None:
        self.positions, self.steps = positions, steps

    def __len__(self) -> int:
        """Return the number of steps."""
        return self.steps

    def __iter__(self) -> Iterator[Any]:
        """Yield positions."""
        return (self.positions for _ in range(self.steps))


def large_graph(nodes: int = 100_000, links: int = 1_000_000, seed: int = 0) -> Pairs:
    """Draw a graph whose degrees have a heavy tail (Chung and Lu 2002, exponent 2.5), each node with a link at least.

    The tail is cut where two nodes would be expected to be linked more than once.
    """
    generator = np.random.default_rng(seed)
    expected = generator.pareto(1.5, nodes) + 1
    expected *= 2 * links / expected.sum()
    expected = np.minimum(expected, np.sqrt(2 * links))
    chances = expected / expected.sum()
    first = np.stack([np.arange(nodes), generator.choice(nodes, nodes, p=chances)], axis=1)
    keys = np.unique(pair_keys(first[first[:, 0] != first[:, 1]], nodes))
    while len(keys) < links:
        drawn = generator.choice(nodes, (links - len(keys), 2), p=chances)
        keys = np.union1d(keys, pair_keys(drawn[drawn[:, 0] != drawn[:, 1]], nodes))
    return pairs_of_keys(keys, nodes)


def train_large(words: list[str], limit: int) -> dict[str, Any]:
    """Run the command line on the large graph, and read what it says of its stages and its memory."""
    edges = large_graph()
    names = np.char.add("P", edges.astype(str))
    with tempfile.TemporaryDirectory() as folder:
        path, out = Path(folder) / "edges.tsv", Path(folder) / "model"
        pl.DataFrame({"first": names[:, 0], "second": names[:, 1]}).write_csv(path, separator="\t")
        command = [sys.executable, "-c", PROGRAM, "train", "protein-interaction", "--edges", str(path)]
        command += ["--out", str(out), "--epochs", "2", "--members", "1", *words]
        started = time.perf_counter()
        subprocess.run(command, check=True, timeout=limit)
        seconds = time.perf_counter() - started
        metrics = json.loads((out / "metrics.json").read_text(encoding="utf-8"))
    return {
        "stages": {**metrics["seconds"], "total": round(seconds, 1)},
        "peak_mib": metrics["peak_memory_mib"],
        "largest_degree": int(np.bincount(edges.ravel()).max()),
        "auroc": metrics["test"].get("auroc"),
    }


if __name__ == "__main__":
    main()
