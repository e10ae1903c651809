"""From links to labelled pairs: which pairs are learned from and judged on, and those that stand for no interaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, final

import numpy as np
from jaxtyping import Float64, Int, Shaped

from primase.apps.protein_interaction.unlinked import Negatives, NegativeSource, matching_findings
from primase.bio.graphs import Graph, Pairs, pair_keys
from primase.data.audit import Finding
from primase.data.negatives import Keys, Kinds
from primase.data.splits import PARTS, Fractions, Part
from primase.errors import InputError

Policy = Literal["given", "random", "degree-matched", "node-disjoint"]
PairsOfParts = Mapping[Part, Pairs]

SEEN: Final = {(0, 2): "C2", (1, 2): "C3", (2, 2): "C3"}
"""What a test pair is called by the parts of its two proteins: one of them never seen in training, or neither."""


@final
@dataclass(frozen=True, slots=True, eq=False)
class DrawnPairs:
    """Labelled pairs of proteins.

    Parameters
    ----------
    nodes
        Two protein numbers a row.
    targets
        1 for an interaction, 0 for none.
    parts
        The part of each pair; None where the parts are to be drawn from the units.
    units
        What a split keeps together: a link and the pair that was drawn to match it.
    seen
        For test pairs of a node-disjoint split ``"C1"`` (both proteins have been seen in training), ``"C2"`` (one) or
        ``"C3"`` (neither); else empty.
    policy, negatives
        How the parts were made and where the pairs without interaction come from, ``auto`` resolved.
    kinds
        The part of each protein in a node-disjoint split (0 train, 1 validation, 2 test); else None.
    """

    nodes: Pairs
    targets: Int[np.ndarray, "pairs"]
    parts: Shaped[np.ndarray, "pairs"] | None
    units: Int[np.ndarray, "pairs"]
    seen: Shaped[np.ndarray, "pairs"]
    policy: Policy
    negatives: Negatives
    kinds: Kinds | None
    findings: Sequence[Finding]


def draw_examples(
    edges: PairsOfParts,
    nonedges: PairsOfParts,
    names: Shaped[np.ndarray, "nodes"],
    *,
    split: Policy | Literal["auto"],
    negatives: Negatives | Literal["auto"],
    fractions: Fractions | None,
    seed: int,
) -> DrawnPairs:
    """Choose pairs without interaction for the links, and the parts of both where the policy is about proteins.

    Parameters
    ----------
    edges
        The links as protein numbers; those of validation and test only where they are given apart.
    nonedges
        Pairs given as not interacting.
    names
        The names of all proteins.
    fractions
        The shares of validation and test; None where nothing is to be divided.

    Raises
    ------
    InputError
        If the words contradict each other, a part would have no links, or the graph is too dense to draw from.
    """
    if not any(map(len, edges.values())):
        what = "there are no edges to learn from"
        raise InputError(what, where="--edges", advice="Give a graph that has some.")
    links, findings = _links_of_parts(edges, len(names))
    policy, kind = resolve_words(links, nonedges, split, negatives)
    graph = Graph.of(names, np.concatenate([*links.values()]))
    given, left_out = _given_nonedges(nonedges if kind == "given" else {}, graph)
    findings += left_out
    if kind != "given" and nonedges:
        count = sum(map(len, nonedges.values()))
        text = f"The {count:,} pairs given as not interacting are left out, because {kind} ones were asked for."
        findings.append(Finding("non-edges left out", count, "info", text))
    if policy == "node-disjoint":
        drawn = _node_disjoint(links["train"], given, graph, kind, fractions or Fractions(), seed)
    else:
        if policy != "given" and fractions is not None:
            _check_shares(len(links["train"]), fractions, policy)
        drawn = _by_part(links, given, graph, policy, kind, seed)
    return replace(drawn, findings=[*findings, *drawn.findings])


def resolve_words(
    edges: PairsOfParts, nonedges: PairsOfParts, split: Policy | Literal["auto"], negatives: Negatives | Literal["auto"]
) -> tuple[Policy, Negatives]:
    """Say what ``auto`` means for these pairs, and refuse words that contradict each other or the pairs.

    Raises
    ------
    InputError
        If they do.
    """
    later: tuple[Part, ...] = ("validation", "test")
    apart = [part for part in later if part in edges or part in nonedges]
    policy = split if split != "auto" else _automatic_policy(nonedges, negatives, given=bool(apart))
    for part in apart:
        if part not in edges:
            what = f"pairs that do not interact are given for {part}, but none that do"
            raise InputError(what, where=f"--{part}-nonedges", advice=f"Add --{part}-edges.")
    if policy == "given" and "test" not in edges:
        what = "the split is given, but no test edges are"
        raise InputError(what, where="--split given", advice="Add --test-edges, or choose another --split.")
    if policy != "given" and apart:
        what = "the parts are given, but the split is to be another"
        advice = "Leave the words for validation and test out, or use --split given."
        raise InputError(what, where=f"--split {policy}", advice=advice)
    if negatives == "given" and not nonedges:
        what = "pairs that do not interact are to be as given, but none are"
        raise InputError(what, where="--negatives given", advice="Add --nonedges or --test-nonedges.")
    if policy == "degree-matched" and negatives not in {"auto", "degree-matched"}:
        what = f"a degree-matched split draws its own negatives, but {negatives} ones are asked for"
        advice = "Use --split random with these negatives, or leave --negatives out."
        raise InputError(what, where=f"--negatives {negatives}", advice=advice)
    if negatives != "auto":
        return policy, negatives
    if policy == "degree-matched":
        return policy, "degree-matched"
    return policy, "given" if nonedges else "uniform"


def _automatic_policy(nonedges: PairsOfParts, negatives: Negatives | Literal["auto"], *, given: bool) -> Policy:
    if given:
        return "given"
    matched = negatives == "degree-matched" or (negatives == "auto" and not nonedges)
    return "degree-matched" if matched else "random"


def _by_part(
    links: PairsOfParts, given: PairsOfParts, graph: Graph, policy: Policy, kind: Negatives, seed: int
) -> DrawnPairs:
    """Give every part its negatives, those that are given or as many as it has links."""
    # The degrees that a network can see are those among the links of train.
    measured = Graph.of(graph.names, links["train"]) if policy == "given" else graph
    drawn_kind: Negatives = "uniform" if kind == "given" else kind
    avoid = _keys([*given.values()], len(graph))
    blocks, log_ratios, findings = [], [np.zeros(0)], []
    for number, part in enumerate(PARTS):
        if part not in links:
            continue
        if part in given:
            blocks.append(_Block.of(links[part], given[part], part))
            continue
        pairs, ratios = NegativeSource(graph, measured, drawn_kind, None, avoid).draw(links[part], seed + 1000 * number)
        avoid = np.union1d(avoid, pair_keys(pairs, len(graph)))
        log_ratios.append(ratios)
        blocks.append(_Block.of(links[part], pairs, part, together=drawn_kind == "degree-matched"))
        if kind == "given":
            text = f"No non-edges are given for {part}; {len(pairs):,} unlinked pairs were drawn uniformly."
            findings.append(Finding(f"drawn {part} non-edges", len(pairs), "info", text))
    if drawn_kind == "degree-matched":
        findings += matching_findings(np.concatenate(log_ratios))
    return _joined(blocks, policy, kind, None, findings)


def _node_disjoint(
    edges: Pairs, given: PairsOfParts, graph: Graph, kind: Negatives, fractions: Fractions, seed: int
) -> DrawnPairs:
    """Divide the proteins, and the pairs by what the parts of their proteins are."""
    generator = np.random.default_rng(seed)
    shares = np.array([fractions.validation, fractions.test])
    counts = np.round(shares * len(graph)).astype(int)
    kinds = np.zeros(len(graph), dtype=np.int64)
    kinds[generator.permutation(len(graph))[: counts.sum()]] = np.repeat([1, 2], counts)
    parts, seen = _parts_of_pairs(kinds[edges], shares, generator)
    _check_parts(parts, seen)
    findings: list[Finding] = []
    if "train" in given:
        pairs, together = given["train"], False
        negative_parts, negative_seen = _parts_of_pairs(kinds[pairs], shares, generator)
    else:
        pairs, log_ratios = NegativeSource(graph, graph, kind, kinds, _keys([], 0)).draw(edges, seed)
        together = kind == "degree-matched"
        findings += matching_findings(log_ratios) if together else []
        negative_parts, negative_seen = parts, seen
    block = _Block(
        edges, pairs, np.concatenate([parts, negative_parts]), np.concatenate([seen, negative_seen]), together
    )
    return _joined([block], "node-disjoint", kind, kinds, findings)


def _parts_of_pairs(
    kinds: Int[np.ndarray, "pairs 2"], shares: Float64[np.ndarray, "two"], generator: np.random.Generator
) -> tuple[Shaped[np.ndarray, "pairs"], Shaped[np.ndarray, "pairs"]]:
    """Name the part of each pair, and C1, C2 or C3 for those of test."""
    kinds = np.sort(kinds, axis=1)
    parts = np.array(["train", "validation", "test"], dtype=object)[kinds[:, 1]]
    seen = np.full(len(kinds), "", dtype=object)
    for (first, second), name in SEEN.items():
        seen[(kinds == (first, second)).all(axis=1)] = name
    # Of the pairs whose proteins are both of train some are kept back, or nothing could be said of C1.
    known = generator.permutation(np.flatnonzero(kinds[:, 1] == 0))
    validation, test = np.round(shares * len(known)).astype(int)
    parts[known[:test]], seen[known[:test]] = "test", "C1"
    parts[known[test : test + validation]] = "validation"
    return parts, seen


@final
@dataclass(frozen=True, slots=True, eq=False)
class _Block:
    """Links and pairs without interaction, in this order also in the other columns."""

    edges: Pairs
    nonedges: Pairs
    parts: Shaped[np.ndarray, "pairs"]
    seen: Shaped[np.ndarray, "pairs"]
    together: bool = False

    @classmethod
    def of(cls, edges: Pairs, nonedges: Pairs, part: Part, *, together: bool = False) -> _Block:
        count = len(edges) + len(nonedges)
        return cls(edges, nonedges, np.full(count, part, dtype=object), np.full(count, "", dtype=object), together)

    @property
    def units(self) -> Int[np.ndarray, "pairs"]:
        alone = np.arange(len(self.edges) + len(self.nonedges))
        return alone % len(self.edges) if self.together else alone


def _joined(
    blocks: Sequence[_Block], policy: Policy, kind: Negatives, kinds: Kinds | None, findings: Sequence[Finding]
) -> DrawnPairs:
    offsets = np.cumsum([0, *(len(block.parts) for block in blocks)])
    return DrawnPairs(
        nodes=np.concatenate([pairs for block in blocks for pairs in (block.edges, block.nonedges)]),
        targets=np.concatenate([np.repeat([1, 0], [len(block.edges), len(block.nonedges)]) for block in blocks]),
        parts=None if policy in {"random", "degree-matched"} else np.concatenate([block.parts for block in blocks]),
        units=np.concatenate([block.units + offset for block, offset in zip(blocks, offsets, strict=False)]),
        seen=np.concatenate([block.seen for block in blocks]),
        policy=policy,
        negatives=kind,
        kinds=kinds,
        findings=findings,
    )


def _links_of_parts(edges: PairsOfParts, nodes: int) -> tuple[dict[Part, Pairs], list[Finding]]:
    """Leave those links of a part out that a later part has too: what is judged on must not be learned."""
    links: dict[Part, Pairs] = {}
    later, repeated = _keys([], nodes), 0
    for part in reversed(PARTS):
        if part in edges:
            keys = pair_keys(edges[part], nodes)
            new = ~np.isin(keys, later)
            links[part] = edges[part][new]
            later = np.union1d(later, keys)
            repeated += int((~new).sum())
    for part in edges:
        if not len(links[part]):
            raise _no_links(part, "given", {name: len(pairs) for name, pairs in links.items()})
    if not repeated:
        return links, []
    text = f"{repeated:,} edges stand in several parts; they were left in the one that is judged on only."
    return links, [Finding("edges in several parts", repeated, "warning", text)]


def _given_nonedges(nonedges: PairsOfParts, graph: Graph) -> tuple[dict[Part, Pairs], list[Finding]]:
    """Leave those out that are links in any part, or a protein with itself."""
    kept = {part: pairs[~graph.links(pairs) & (pairs[:, 0] != pairs[:, 1])] for part, pairs in nonedges.items()}
    left_out = sum(len(nonedges[part]) - len(kept[part]) for part in nonedges)
    kept = {part: pairs for part, pairs in kept.items() if len(pairs)}
    if not left_out:
        return kept, []
    text = f"{left_out:,} pairs given as not interacting are edges too, or a protein with itself; they were left out."
    return kept, [Finding("non-edges that are edges", left_out, "warning", text)]


def _check_shares(links: int, fractions: Fractions, policy: Policy) -> None:
    sizes = {"validation": round(fractions.validation * links), "test": round(fractions.test * links)}
    sizes["train"] = links - sum(sizes.values())
    for part, size in sizes.items():
        if size <= 0:
            raise _no_links(part, policy, sizes)


def _check_parts(parts: Shaped[np.ndarray, "pairs"], seen: Shaped[np.ndarray, "pairs"]) -> None:
    unseen = (parts == "test") & (seen != "C1")
    sizes = {"train": int((parts == "train").sum()), "validation": int((parts == "validation").sum())}
    sizes["test"] = int(unseen.sum())
    for part, size in sizes.items():
        if size == 0:
            raise _no_links(part, "node-disjoint", sizes)


def _no_links(part: str, policy: str, sizes: Mapping[str, int] | Mapping[Part, int]) -> InputError:
    listing = ", ".join(f"{name} {sizes[name]:,}" for name in PARTS if name in sizes)
    what = f"the split leaves no {part} edges"
    advice = "Give more edges, or larger --validation-fraction and --test-fraction."
    return InputError(what, where=f"--split {policy}", got=listing, advice=advice)


def _keys(blocks: Sequence[Pairs], nodes: int) -> Keys:
    return np.unique(np.concatenate([np.empty(0, dtype=np.int64), *(pair_keys(pairs, nodes) for pairs in blocks)]))
