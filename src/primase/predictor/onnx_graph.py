"""The networks of a model as one ONNX graph, which programs without primase can run."""

from __future__ import annotations

import io
import json
import logging
import re
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, final

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from primase.data.encoding import Batch
from primase.data.tasks import Task
from primase.errors import ConfigurationError
from primase.nn.dense import SparseLinear
from primase.nn.message_graph import MessageGraph
from primase.nn.recurrence import BidirectionalRecurrence
from primase.nn.structure import replace_layer

OUTPUT: Final = "outputs"
TOLERANCE: Final = 1e-4
_UNSUPPORTED: Final[Mapping[type[nn.Module], str]] = {
    BidirectionalRecurrence: "the operator pack_padded_sequence, of a recurrent layer that leaves padding out",
    MessageGraph: "the operator index_select over the neighbours in a graph, of a graph convolution",
}
INSTALL: Final = 'pip install "primase[export]"'


@final
class GatheredLinear(nn.Module):
    """What :class:`~primase.nn.dense.SparseLinear` computes, in operations that ONNX has."""

    def __init__(self, layer: SparseLinear) -> None:
        super().__init__()
        table = layer.table.detach().clone()
        # What stands for nothing adds nothing.
        table[0] = 0
        self.table, self.bias = nn.Parameter(table), nn.Parameter(layer.bias.detach().clone())

    def forward(self, features: Int[Tensor, "batch slots"], weights: Float[Tensor, "batch slots"]) -> Tensor:
        """Sum the weighted rows of the features."""
        rows = nn.functional.embedding(features, self.table)  # (batch, slots, outputs)
        return (rows * weights.unsqueeze(2)).sum(dim=1) + self.bias


@final
class Averaged(nn.Module):
    """All networks of a model together: as :class:`~primase.predictor.predictor.Predictor` averages them."""

    def __init__(self, task: Task, members: Sequence[nn.Module], names: Sequence[str]) -> None:
        super().__init__()
        self.members = nn.ModuleList(map(_exportable, members))
        self.is_value, self.is_multilabel = task.is_value or task.is_image, task.is_multilabel
        self.names = tuple(names)

    def forward(self, *inputs: Tensor) -> Tensor:
        """Compute log-probabilities, the log-odds of each label if multilabel, or values."""
        batch = dict(zip(self.names, inputs, strict=True))
        outputs = torch.stack([member(**batch).float() for member in self.members])
        if self.is_value:
            return outputs.mean(dim=0)
        if self.is_multilabel:
            if len(self.members) == 1:
                return outputs[0]
            return logsigmoid(outputs).logsumexp(dim=0) - logsigmoid(-outputs).logsumexp(dim=0)
        averaged: Tensor = outputs.log_softmax(dim=2).logsumexp(dim=0) - np.log(len(self.members))
        return averaged


@final
@dataclass(frozen=True, slots=True)
class Exported:
    """An ONNX graph in bytes, and by how much it differs from the networks at most."""

    content: bytes
    difference: float


def export_onnx(task: Task, members: Sequence[nn.Module], batch: Batch, metadata: Mapping[str, Any]) -> Exported:
    """Write networks as one graph of any number of examples, and compare both on some of them.

    Parameters
    ----------
    batch
        At least two examples. The graph takes inputs of the same names.
    metadata
        What a reader of the file needs to know, by name; values other than text are written as JSON.

    Raises
    ------
    ConfigurationError
        If a network does what ONNX has no operator for, or the packages that write ONNX are not installed.
    """
    whole = Averaged(task, members, tuple(batch)).eval()
    content = _with_metadata(_graph(whole, batch), metadata)
    return Exported(content, difference(content, whole, batch))


def difference(content: bytes, whole: Averaged, batch: Batch) -> float:
    """Find by how much a graph differs at most from the networks: on all examples together, and on the first alone."""
    try:
        # Only this needs it.
        import onnxruntime  # noqa: PLC0415
    except ImportError as error:
        raise _missing(str(error.name)) from None
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    found = 0.0
    for part in (batch, {name: tensor[:1] for name, tensor in batch.items()}):
        with torch.no_grad():
            expected = whole(*part.values()).numpy()
        try:
            (given,) = session.run([OUTPUT], {name: tensor.numpy() for name, tensor in part.items()})
        except Exception as error:  # onnxruntime has errors of many kinds
            operator = f"what it cannot do with {len(expected)} examples: {' '.join(str(error).split())[:200]}"
            raise _refusal(operator) from error
        found = max(found, float(np.abs(expected - given).max(initial=0)))
    return found


def _graph(whole: Averaged, batch: Batch) -> bytes:
    try:
        # torch.onnx needs them, and says so only late.
        import onnx  # noqa: F401, PLC0415
        import onnxscript  # noqa: F401, PLC0415
    except ImportError as error:
        raise _missing(str(error.name)) from None
    _refuse_known(whole)
    dimensions = {0: torch.export.Dim("examples", min=1)}
    if any(isinstance(layer, GatheredLinear) for layer in whole.modules()):
        # How many features an example has is as free as how many examples there are.
        dimensions[1] = torch.export.Dim("features", min=1)
    shapes = tuple(dimensions for _ in batch)
    try:
        with _quiet(), tempfile.TemporaryDirectory() as folder:
            program = torch.onnx.export(
                whole,
                tuple(batch.values()),
                input_names=list(batch),
                output_names=[OUTPUT],
                dynamic_shapes=(shapes,),
                dynamo=True,
                verbose=False,
            )
            path = Path(folder) / "model.onnx"
            assert program is not None
            program.save(str(path), external_data=False)
            return path.read_bytes()
    except Exception as error:  # the exporter has errors of many kinds
        raise _refusal(_reason(error)) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep from users what the exporter says to developers."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _refuse_known(whole: nn.Module) -> None:
    """Name what is known to have no operator, which the exporter says less clearly."""
    for kind, operator in _UNSUPPORTED.items():
        if any(isinstance(layer, kind) for layer in whole.modules()):
            raise _refusal(operator)


def _refusal(operator: str) -> ConfigurationError:
    what = "the network does something that cannot be written as ONNX"
    advice = "Train another network, without this, or use the bundle."
    return ConfigurationError(what, where="--format onnx", got=operator, advice=advice)


def _reason(error: BaseException) -> str:
    """Find the operator in what the exporter says: the innermost cause names it."""
    innermost: BaseException = error
    while (innermost.__cause__ or innermost.__context__) is not None and innermost.__cause__ is not innermost:
        innermost = innermost.__cause__ or innermost.__context__ or innermost
    named = re.search(r"No ONNX function found for <OpOverload\(op='([^']+)'", f"{innermost}\n{error}")
    if named:
        return f"the operator {named[1]}"
    return f"{type(innermost).__name__}: {innermost}".splitlines()[0][:300]


def _with_metadata(content: bytes, metadata: Mapping[str, Any]) -> bytes:
    # Imported before by the exporter; only this needs it.
    import onnx  # noqa: PLC0415

    model = onnx.load_from_string(content)
    for name, value in metadata.items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        model.metadata_props.add(key=name, value=text)
    return bytes(model.SerializeToString())


def _exportable(member: nn.Module) -> nn.Module:
    """Copy a network, with layers in the place of those that ONNX has no operators for."""
    copied = deepcopy(member).cpu().eval()
    for path, layer in list(copied.named_modules()):
        if isinstance(layer, SparseLinear):
            replace_layer(copied, path, GatheredLinear(layer))
    return copied


def _missing(name: str) -> ConfigurationError:
    what = f"writing ONNX needs the package {name}, which is not installed"
    return ConfigurationError(what, where="--format onnx", advice=INSTALL)
