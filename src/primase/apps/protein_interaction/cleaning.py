"""Take out of a user's pairs what would leak or contradict itself, and say so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from jaxtyping import Bool

from primase.bio.edge_layout import EdgeOptions
from primase.bio.edge_lists import EdgeList, NamedPairs
from primase.bio.graphs import Pairs, pair_keys
from primase.data.audit import Finding
from primase.data.splits import PARTS, Part
from primase.errors import InputError

_SHOWN: Final = 3


def keep_apart(pairs: Mapping[Part, Pairs], nodes: int) -> tuple[dict[Part, Pairs], int]:
    """Keep a pair that stands in several parts in the last of them only; also count such pairs."""
    later = np.empty(0, dtype=np.int64)
    kept: dict[Part, Pairs] = {}
    moved = 0
    for part in reversed([part for part in PARTS if part in pairs]):
        keys = pair_keys(pairs[part], nodes)
        twice = np.isin(keys, later)
        moved += int(twice.sum())
        kept[part] = pairs[part][~twice]
        later = np.concatenate([later, keys])
    for part, left in kept.items():
        if len(left) == 0:
            what = f"all pairs of {part} stand in a later part too"
            raise InputError(what, wanted="different pairs in every part")
    return {part: kept[part] for part in PARTS if part in kept}, moved


def clean_nonedges(
    given: Mapping[Part, Pairs], edges: Mapping[Part, Pairs], names: Sequence[str]
) -> tuple[dict[Part, Pairs], list[Finding]]:
    """Take out what cannot be a pair without interaction."""
    links = pair_keys(np.concatenate([*edges.values()]), len(names))
    removed = {"loops": 0, "links": 0, "repeated": 0}
    kept: dict[Part, Pairs] = {}
    examples: list[str] = []
    for part, pairs in given.items():
        loops = pairs[:, 0] == pairs[:, 1]
        keys = pair_keys(pairs, len(names))
        linked = np.isin(keys, links) & ~loops
        examples += [f"{names[first]}-{names[second]}" for first, second in pairs[linked][:_SHOWN].tolist()]
        rest = np.flatnonzero(~loops & ~linked)
        _, first_places = np.unique(keys[rest], return_index=True)
        removed["loops"] += int(loops.sum())
        removed["links"] += int(linked.sum())
        removed["repeated"] += len(rest) - len(first_places)
        kept[part] = pairs[rest[np.sort(first_places)]]
        if len(kept[part]) == 0:
            what = f"none of the pairs given as not interacting for {part} is left"
            got = f"{removed['links']:,} that are edges, {removed['loops']:,} of a protein with itself"
            raise InputError(what, got=got, wanted="pairs that are not among the edges")
    apart, leaks = keep_apart(kept, len(names)) if kept else ({}, 0)
    return apart, [*_removed_findings(removed, examples[:_SHOWN], leaks)]


def _removed_findings(removed: Mapping[str, int], examples: Sequence[str], leaks: int) -> list[Finding]:
    texts = {
        "negative pairs that are edges": (
            removed["links"],
            "warning",
            f"pairs given as not interacting are links ({', '.join(examples)}), and count as links.",
        ),
        "negative pairs in two parts": (
            leaks,
            "warning",
            "pairs given as not interacting stand in two parts. They stay in the later one only.",
        ),
        "repeated negative pairs": (removed["repeated"], "info", "pairs given as not interacting stand twice."),
        "negative pairs of one protein": (
            removed["loops"],
            "info",
            "pairs given as not interacting are a protein with itself, and are not kept.",
        ),
    }
    return [
        Finding(name, count, "warning" if severity == "warning" else "info", f"{count:,} {text}")
        for name, (count, severity, text) in texts.items()
        if count
    ]


def findings_of_reading(
    lists: Mapping[Part, EdgeList], given: Mapping[Part, NamedPairs], options: EdgeOptions
) -> list[Finding]:
    """Say how the files were read, and what was left out."""
    findings = []
    decided: dict[str, list[str]] = {}
    files: list[EdgeList | NamedPairs] = [*lists.values(), *given.values()]
    for file in files:
        decided.setdefault(file.header.text, []).append(file.path.name)
    taken = sum(file.header.taken for file in files)
    text = " ".join(f"{', '.join(called)}: {sentence}" for sentence, called in decided.items())
    findings.append(Finding("column names", taken, "info", text))
    for one in lists.values():
        if one.remarks:
            text = f"{one.path.name}: {' '.join(one.remarks)}"
            findings.append(Finding("how the file was read", len(one.remarks), "info", text))
    counts = [one.counts for one in lists.values()]
    kinds = {
        "other evidence": (sum(one.other_evidence for one in counts), f"are not {options.evidence}"),
        "links below the score": (
            sum(one.below_threshold for one in counts),
            f"have a score below {options.minimum_score}",
        ),
        "self-loops": (sum(one.self_loops for one in counts), "link a protein to itself"),
        "repeated links": (
            sum(one.repeated for one in counts),
            "repeat a link above them, the same or the other way round",
        ),
    }
    rows = sum(one.rows for one in counts)
    return findings + [
        Finding(name, count, "info", f"{count:,} of {rows:,} rows {text}, and are not kept.")
        for name, (count, text) in kinds.items()
        if count
    ]


def findings_of_links(edges: Mapping[Part, Pairs], nodes: int) -> list[Finding]:
    """Count the proteins that nothing can be told of by their links."""
    linked = {part: np.zeros(nodes, dtype=np.bool_) for part in edges}
    for part, pairs in edges.items():
        linked[part][pairs.ravel()] = True
    anywhere: Bool[np.ndarray, "nodes"] = np.any([*linked.values()], axis=0)
    later = int((anywhere & ~linked["train"]).sum())
    isolated = int((~anywhere).sum())
    findings = []
    if isolated:
        text = (
            f"{isolated:,} of {nodes:,} proteins have no link to another. They stay in the graph; nothing but their "
            "features says anything about them."
        )
        findings.append(Finding("isolated proteins", isolated, "info", text))
    if later:
        text = (
            f"{later:,} of {nodes:,} proteins have links in validation or test only. They are in the graph without "
            "links, and nothing but their features says anything about them."
        )
        findings.append(Finding("proteins without training links", later, "warning", text))
    return findings
