"""How does a trained network predict fast?"""

from __future__ import annotations

from copy import deepcopy
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from napari_orient.learning.networks.caching import Rectifier
from napari_orient.learning.networks.polar import Circular, Polar

_LARGE = 1_000_000  # numbers: buffers that are not copied


def for_prediction(network: nn.Module, *, bfloat16: bool = False) -> nn.Module:
    """Copy a network for prediction alone: it says the same, and sooner.

    Norms over the batch go into the convolutions before them, and channels lie last in memory.

    Parameters
    ----------
    network
        Trained; not changed.
    bfloat16
        Keep the weights of products as bfloat16, for use under ``torch.autocast`` of that type,
        which would round them anew for every batch. The last linear layer stays float32: half a
        percent of an angle of 360 degrees is more than a network is off.
    """
    shared = {id(part): part for part in network.buffers() if part.numel() > _LARGE}
    network = deepcopy(network, shared).eval().requires_grad_(False)
    for module in list(network.modules()):
        _fold_norms(module)
    if bfloat16:
        _keep_last_exact(network)
        for module in list(network.modules()):
            _change_rectifiers(module)
            if isinstance(module, nn.Conv2d | nn.Linear | Circular) and not isinstance(
                module, Exact
            ):
                module.to(torch.bfloat16)
            if isinstance(module, Polar):
                module.rings, module.forth = module.rings.bfloat16(), module.forth.bfloat16()
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stub
    return network


class Exact(nn.Linear):
    """A linear layer in float32, also under autocast."""

    def forward(self, x: Tensor) -> Tensor:
        """To float32."""
        with torch.autocast(x.device.type, enabled=False):
            return super().forward(x.float())


def _keep_last_exact(network: nn.Module) -> None:
    linear = [module for module in network.modules() if isinstance(module, nn.Linear)]
    if linear:
        linear[-1].__class__ = Exact  # the same weights under the same name


def _change_rectifiers(parent: nn.Module) -> None:
    for name, module in parent.named_children():
        if isinstance(module, nn.ReLU):
            setattr(parent, name, Rectifier())


def _fold_norms(parent: nn.Module) -> None:
    """Put each norm into the convolution that is registered, and so used, right before it."""
    for (before, conv), (after, norm) in pairwise(list(parent.named_children())):
        if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
            setattr(parent, before, fuse_conv_bn_eval(conv, norm))
            setattr(parent, after, nn.Identity())
