"""Networks that turn images into features, each in a module that can be read alone."""

from primase.nn.backbones.backbone import IMAGENET, Backbone, Normalisation, pooled
from primase.nn.backbones.building import BACKBONES, build_backbone

__all__ = ["BACKBONES", "IMAGENET", "Backbone", "Normalisation", "build_backbone", "pooled"]
