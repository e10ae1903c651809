"""EfficientNet-Lite0: a small network for phones that is quick on an ordinary processor too."""

from __future__ import annotations

from typing import ClassVar, Final, final

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from primase.nn.backbones.backbone import Backbone, Maps, Normalisation, pooled

# Of each stage: blocks, side of the filters, stride of its first block, widening inside a block, features afterwards.
_STAGES: Final = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
_STEM: Final = 32
_HEAD: Final = 1280


@final
class SamePaddedConvolution(nn.Conv2d):
    """A convolution that pads as TensorFlow does: to one output for every ``stride`` inputs, odd pixels at the end.

    Weights that were trained so are half a pixel off under any symmetric padding.
    """

    def forward(self, input: Maps) -> Maps:  # noqa: A002 - the name is torch's
        """Pad and convolve."""
        (side, _), (stride, _) = self.kernel_size, self.stride
        rows, columns = (max((-(-n // stride) - 1) * stride + side - n, 0) for n in input.shape[-2:])
        if rows % 2 or columns % 2:
            ends = (columns // 2, columns - columns // 2, rows // 2, rows - rows // 2)
            padded, around = functional.pad(input, ends), (0, 0)
        else:
            padded, around = input, (rows // 2, columns // 2)
        return functional.conv2d(padded, self.weight, self.bias, self.stride, around, self.dilation, self.groups)


@final
class InvertedBottleneck(nn.Module):
    """Widen, look around in each feature alone, and narrow again (Sandler et al. 2018); the input is added if it fits.

    Parameters
    ----------
    inputs, outputs
        Features before and after.
    side
        Of the filters, in pixels.
    stride
        Pixels that become one.
    widening
        How many times as many features there are in between.
    """

    def __init__(self, inputs: int, outputs: int, *, side: int, stride: int, widening: int) -> None:
        super().__init__()
        wide = inputs * widening
        self.widens, self.adds = widening != 1, stride == 1 and inputs == outputs
        if self.widens:
            self._expand_conv = nn.Conv2d(inputs, wide, 1, bias=False)
            self._bn0 = _normalise(wide)
        self._depthwise_conv = SamePaddedConvolution(wide, wide, side, stride, groups=wide, bias=False)
        self._bn1 = _normalise(wide)
        self._project_conv = nn.Conv2d(wide, outputs, 1, bias=False)
        self._bn2 = _normalise(outputs)

    def forward(self, maps: Maps) -> Maps:
        """Compute the features of the next block."""
        wide = functional.relu6(self._bn0(self._expand_conv(maps))) if self.widens else maps
        wide = functional.relu6(self._bn1(self._depthwise_conv(wide)))
        narrow: Tensor = self._bn2(self._project_conv(wide))
        return maps + narrow if self.adds else narrow


@final
class EfficientNetLite0(Backbone):
    """EfficientNet-Lite0 (Tan and Le 2019; the variant of Liu 2020 without squeeze-and-excitation, with ReLU6).

    The names of its parameters are those of the published PyTorch weights. Blocks: ``stem``, ``stage1`` to ``stage7``
    and ``head``. Stochastic depth, which it was trained with, is left out.

    Parameters
    ----------
    classes
        How many the classifier tells apart.
    """

    normalisation: Normalisation = Normalisation(mean=(127.0,) * 3, std=(128.0,) * 3)
    classifier_name: ClassVar[str] = "_fc"

    def __init__(self, classes: int = 1000) -> None:
        super().__init__()
        self.channels = (_STEM, *(stage[-1] for stage in _STAGES), _HEAD)
        self._conv_stem = SamePaddedConvolution(3, _STEM, 3, 2, bias=False)
        self._bn0 = _normalise(_STEM)
        blocks, inputs = [], _STEM
        for count, side, stride, widening, outputs in _STAGES:
            for index in range(count):
                step = stride if index == 0 else 1
                blocks.append(InvertedBottleneck(inputs, outputs, side=side, stride=step, widening=widening))
                inputs = outputs
        self._blocks = nn.ModuleList(blocks)
        self._conv_head = nn.Conv2d(inputs, _HEAD, 1, bias=False)
        self._bn1 = _normalise(_HEAD)
        self._dropout = nn.Dropout(0.2)
        self._fc = nn.Linear(_HEAD, classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")

    @property
    def blocks(self) -> tuple[tuple[str, nn.Module], ...]:
        """The stem, the seven stages and the head."""
        blocks: list[tuple[str, nn.Module]] = [("stem", nn.Sequential(self._conv_stem, self._bn0, nn.ReLU6()))]
        first = 0
        for number, (count, *_) in enumerate(_STAGES, start=1):
            blocks.append((f"stage{number}", nn.Sequential(*self._blocks[first : first + count])))
            first += count
        return *blocks, ("head", nn.Sequential(self._conv_head, self._bn1, nn.ReLU6()))

    def classify(self, maps: Maps) -> Float[Tensor, "batch classes"]:
        """Average over the image, then one linear layer."""
        logits: Tensor = self._fc(self._dropout(pooled(maps)))
        return logits


def _normalise(features: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(features, eps=1e-3, momentum=0.01)
