"""How does a trained network predict fast?"""

from __future__ import annotations

from copy import deepcopy
from itertools import pairwise

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from napari_orient.learning.networks.polar import Circular, Polar


def for_prediction(network: nn.Module, *, bfloat16: bool = False) -> nn.Module:
    """Copy a network for prediction alone: it says the same, and sooner.

    Norms over the batch go into the convolutions before them, and channels lie last in memory.

    Parameters
    ----------
    network
        Trained; not changed.
    bfloat16
        Keep the weights of products as bfloat16, for use under
        ``torch.autocast`` of that type, which would round them anew for every batch.
    """
    network = deepcopy(network).eval().requires_grad_(False)
    for module in list(network.modules()):
        _fold_norms(module)
    if bfloat16:
        for module in network.modules():
            if isinstance(module, nn.Conv2d | nn.Linear | Circular):
                module.to(torch.bfloat16)
            if isinstance(module, Polar):
                module.rings, module.forth = module.rings.bfloat16(), module.forth.bfloat16()
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stub
    return network


def _fold_norms(parent: nn.Module) -> None:
    """Put each norm into the convolution that is registered, and so used, right before it."""
    for (before, conv), (after, norm) in pairwise(list(parent.named_children())):
        if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
            setattr(parent, before, fuse_conv_bn_eval(conv, norm))
            setattr(parent, after, nn.Identity())
