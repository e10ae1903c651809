"""Recurrent layers that read a sequence from both ends, so that every place knows what is before and behind it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Literal, final

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

Kind = Literal["lstm", "gru"]


@final
class BidirectionalRecurrence(nn.Module):
    """A bidirectional LSTM or GRU along the places of a sequence.

    Padding has no influence: each direction starts at the first letter that it meets. In evaluation it works with
    gradients too, on any device: cuDNN keeps what its gradients need in training mode only, so that where gradients
    are wanted in evaluation PyTorch's own, slower, kernels compute them.

    Parameters
    ----------
    kind
        ``"lstm"`` (Hochreiter and Schmidhuber 1997) or ``"gru"`` (Cho et al. 2014).
    channels
        Of the features that come in.
    units
        Of each direction; twice as many channels go out.
    """

    def __init__(self, kind: Kind, channels: int, units: int) -> None:
        super().__init__()
        made = nn.LSTM if kind == "lstm" else nn.GRU
        self.layer = made(channels, units, batch_first=True, bidirectional=True)

    def forward(
        self, features: Float[Tensor, "batch channels places"], mask: Bool[Tensor, "batch places"]
    ) -> Float[Tensor, "batch twice_units places"]:
        """Read the places that stand for letters, from both ends; the others become zeros."""
        steps = features.transpose(1, 2)  # (batch, places, channels)
        wanted = torch.is_grad_enabled() and not self.training
        with _without_cudnn() if wanted else nullcontext():
            read = self._whole(steps) if bool(mask.all()) else self._parts(steps, mask)
        return read.transpose(1, 2)  # (batch, 2 * units, places)

    def _whole(self, steps: Float[Tensor, "batch places channels"]) -> Float[Tensor, "batch places twice_units"]:
        read: Tensor = self.layer(steps)[0]
        return read

    def _parts(
        self, steps: Float[Tensor, "batch places channels"], mask: Bool[Tensor, "batch places"]
    ) -> Float[Tensor, "batch places twice_units"]:
        """Read rows of which only a part are letters: moved to the start, read for their length, and moved back."""
        # A row without letters is read as one step, whose result is hidden in the end.
        lengths = mask.sum(dim=1).clamp(min=1)
        # A stable order of "letter first" moves the letters to the start, and its inverse moves them back.
        order = (~mask).byte().argsort(dim=1, stable=True)
        packed = nn.utils.rnn.pack_padded_sequence(
            _reordered(steps, order), lengths.cpu(), batch_first=True, enforce_sorted=False
        )
        read, _ = nn.utils.rnn.pad_packed_sequence(self.layer(packed)[0], batch_first=True, total_length=steps.shape[1])
        return _reordered(read, order.argsort(dim=1)).masked_fill(~mask.unsqueeze(2), 0)


def _reordered(steps: Tensor, order: Tensor) -> Tensor:
    return steps.gather(1, order.unsqueeze(2).expand(-1, -1, steps.shape[2]))


@contextmanager
def _without_cudnn() -> Iterator[None]:
    before = torch.backends.cudnn.enabled
    torch.backends.cudnn.enabled = False
    try:
        yield
    finally:
        torch.backends.cudnn.enabled = before
