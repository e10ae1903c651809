"""What a compression is told: one declaration for Python and the command line."""

from __future__ import annotations

from typing import Final, Literal, get_args

from pydantic import Field, model_validator

from primase.configuration import Section

Method = Literal["prune", "quantise", "distil", "low-rank", "deep-compression"]
METHODS: Final[tuple[str, ...]] = get_args(Method)
EPOCHS: Final[dict[Method, int]] = {"prune": 3, "low-rank": 3, "deep-compression": 3}
_OWN: Final[dict[str, tuple[Method, ...]]] = {
    "sparsity": ("prune", "deep-compression"),
    "structured": ("prune",),
    "bits": ("deep-compression",),
    "energy": ("low-rank",),
    "rank": ("low-rank",),
    "shrink": ("distil",),
    "temperature": ("distil",),
    "soft": ("distil",),
}
"""Which settings are for which methods; with others they would do nothing."""


class CompressionSettings(Section):
    """How a network is made smaller."""

    method: Method = "prune"
    """Make small weights zero (prune), round weights to 8 bits (quantise), train a smaller network to answer alike
    (distil), take layers apart into thinner ones (low-rank), or prune, let weights share values and write them in a
    Huffman code (deep-compression)."""
    sparsity: float = Field(default=0.9, gt=0, lt=1)
    """The share of weights that become zero (prune, deep-compression), or with --structured of channels that go."""
    structured: bool = False
    """Leave out whole channels, which makes the network faster, too (prune)."""
    bits: int = Field(default=5, ge=1, le=8)
    """Weights of a layer take two to the power of so many values (deep-compression)."""
    energy: float = Field(default=0.9, gt=0, le=1)
    """The share of the sum of squared singular values that each layer keeps (low-rank)."""
    rank: int | None = Field(default=None, ge=1)
    """The rank of every layer, in the place of what the energy asks for (low-rank)."""
    shrink: float = Field(default=4, ge=1)
    """Divide the widths of the network by so much (distil)."""
    temperature: float = Field(default=2, gt=0)
    """How much the unlikely answers of the larger network count (distil)."""
    soft: float = Field(default=0.7, gt=0, le=1)
    """How much of the loss is about the answers of the larger network, and not about the known ones (distil)."""
    epochs: int | None = Field(default=None, ge=1)
    """Passes over the training data: for each step of fine-tuning (by default 3), or to distil (by default as many as
    the larger network had)."""
    learning_rate: float | None = Field(default=None, gt=0)
    """The highest step size; by default a third of that of training, or the same (distil)."""

    @model_validator(mode="after")
    def _fitting(self) -> CompressionSettings:
        for name, methods in _OWN.items():
            if self.method not in methods and getattr(self, name) != type(self).model_fields[name].default:
                message = f"--{name} is for --method {' and '.join(methods)}, and not for {self.method}"
                raise ValueError(message)
        return self
