"""GraphML files: the links of a graph, read as a stream, and with the entities refused that can fill all memory."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, cast
from xml.parsers import expat  # entities are refused below, and expat opens no other file

import numpy as np
from jaxtyping import Float, Int

from primase.bio.edge_layout import listing
from primase.bio.reading import open_binary
from primase.errors import ReadError

_NAME_KEYS: Final = ("name", "shared name", "label")
_BLOCK_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True, eq=False)
class GraphMarkup:
    """What a GraphML file says.

    Parameters
    ----------
    nodes
        The name of each node, in the order of the file.
    first, second
        The names of the two ends of each link.
    lines
        The line in which each link begins.
    scores
        The attribute that was asked for; None if none was.
    remarks
        How it was read, in whole sentences.
    """

    nodes: list[str]
    first: list[str]
    second: list[str]
    lines: Int[np.ndarray, "rows"]
    scores: Float[np.ndarray, "rows"] | None
    remarks: tuple[str, ...]


def is_graphml(path: Path) -> bool:
    """Tell a GraphML file by its first character."""
    with open_binary(path) as binary:
        return binary.read(1000).removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"<")


def read_graphml(path: Path, score: str | None = None) -> GraphMarkup:
    """Read the links of a GraphML file, without their direction.

    Nodes are called by their attribute ``name`` or ``label`` where every node has a different one, else by their id.

    Parameters
    ----------
    score
        The attribute of links that holds their score.

    Raises
    ------
    ReadError
        If it is no well-formed XML or no GraphML, declares entities, or a link has no score that is a number.
    """
    reader = _Reader(path, score)
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = lambda tag, attributes: reader.start(tag, attributes, parser.CurrentLineNumber)
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text.append
    parser.EntityDeclHandler = reader.refuse_entity
    try:
        with open_binary(path) as binary:
            while block := binary.read(_BLOCK_BYTES):
                parser.Parse(block, False)  # noqa: FBT003 - expat names it not
            parser.Parse(b"", True)  # noqa: FBT003
    except expat.ExpatError as error:
        what = "the file is not well-formed XML"
        got = expat.ErrorString(error.code)
        raise ReadError(what, where=f"{path}, line {error.lineno}", got=got, wanted="GraphML") from error
    return reader.finish()


@dataclass(slots=True)
class _Reader:
    """Collects nodes and links while the parser goes through the file."""

    path: Path
    score: str | None
    text: list[str] = field(default_factory=list)
    within: list[str] = field(default_factory=list)
    keys: dict[str, tuple[str, str]] = field(default_factory=dict)
    key: str = ""
    nodes: dict[str, dict[str, str]] = field(default_factory=dict)
    ends: list[tuple[str, str]] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    scores: list[str] = field(default_factory=list)
    directed: int = 0
    directed_by_default: bool = False
    node: str = ""

    def start(self, tag: str, attributes: dict[str, str], line: int) -> None:
        tag = tag.rpartition(":")[2]
        if not self.within and tag != "graphml":
            what = "the file is XML, but not GraphML"
            raise ReadError(what, where=str(self.path), got=f"<{tag}>", wanted="<graphml>")
        if tag == "key":
            self.keys[attributes.get("id", "")] = (attributes.get("for", "all"), attributes.get("attr.name", ""))
        elif tag == "graph":
            self.directed_by_default = attributes.get("edgedefault") == "directed"
        elif tag == "node":
            self.node = self._attribute(attributes, "id", tag, line)
            self.nodes.setdefault(self.node, {})
        elif tag == "edge":
            self._start_edge(attributes, line)
        elif tag == "hyperedge":
            what = "a link between more than two nodes"
            raise ReadError(what, where=f"{self.path}, line {line}", got="<hyperedge>", wanted="<edge>")
        elif tag == "data":
            self.key = attributes.get("key", "")
        self.within.append(tag)
        self.text.clear()

    def _start_edge(self, attributes: dict[str, str], line: int) -> None:
        pair = [self._attribute(attributes, name, "edge", line) for name in ("source", "target")]
        self.ends.append((pair[0], pair[1]))
        self.lines.append(line)
        self.scores.append("")
        default = "true" if self.directed_by_default else "false"
        self.directed += attributes.get("directed", default) == "true"

    def _attribute(self, attributes: dict[str, str], name: str, tag: str, line: int) -> str:
        value = attributes.get(name, "").strip()
        if not value:
            what = f"a {tag} without {name!r}"
            raise ReadError(what, where=f"{self.path}, line {line}", wanted=f'<{tag} {name}="…">')
        return value

    def end(self, tag: str) -> None:
        self.within.pop()
        if tag.rpartition(":")[2] == "data" and self.within:
            name = self.keys.get(self.key, ("", ""))[1]
            value = "".join(self.text).strip()
            if self.within[-1] == "node" and name.lower() in _NAME_KEYS and value:
                self.nodes[self.node][name.lower()] = value
            elif self.within[-1] == "edge" and name == self.score:
                self.scores[-1] = value
        self.text.clear()

    def refuse_entity(self, *declaration: object) -> None:
        what = "the file declares an XML entity, which can fill all memory"
        got = f"<!ENTITY {declaration[0]}>"
        raise ReadError(what, where=str(self.path), got=got, wanted="GraphML without entities")

    def finish(self) -> GraphMarkup:
        remarks = []
        for ends in self.ends:
            for node in ends:
                self.nodes.setdefault(node, {})
        key = next((key for key in _NAME_KEYS if self._names_all(key)), None)
        called = {node: node if key is None else found[key] for node, found in self.nodes.items()}
        if key is not None:
            remarks.append(f"Nodes are called by their attribute {key!r}, which differs from node to node.")
        if self.directed:
            remarks.append(f"{self.directed:,} links have a direction, which is not kept.")
        first, second = ([called[ends[place]] for ends in self.ends] for place in (0, 1))
        lines = np.array(self.lines, dtype=np.int64)
        return GraphMarkup([*called.values()], first, second, lines, self._numbers(), tuple(remarks))

    def _names_all(self, key: str) -> bool:
        counts = Counter(found.get(key, "") for found in self.nodes.values())
        return bool(counts) and "" not in counts and len(counts) == len(self.nodes)

    def _numbers(self) -> Float[np.ndarray, "rows"] | None:
        if self.score is None:
            return None
        known = [name for kind, name in self.keys.values() if kind in {"edge", "all"}]
        if self.score not in known:
            what = f"links have no attribute {self.score!r}"
            raise ReadError(what, where=str(self.path), got=f"the attributes {listing(known)}" if known else "none")
        numbers = np.empty(len(self.scores))
        for place, text in enumerate(self.scores):
            try:
                numbers[place] = float(text)
            except ValueError:
                numbers[place] = np.nan
            if np.isnan(numbers[place]):
                what = "a score that is no number"
                where = f"{self.path}, line {self.lines[place]}"
                raise ReadError(what, where=where, got=repr(text) if text else "nothing", wanted="a number") from None
        return cast("Float[np.ndarray, 'rows']", numbers)
