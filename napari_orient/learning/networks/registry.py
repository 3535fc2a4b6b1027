"""Which networks can be trained, and how is one built from its name?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from napari_orient.learning.networks.cnn import Cnn
from napari_orient.learning.networks.compact import Compact
from napari_orient.learning.networks.densenet import DenseNet
from napari_orient.learning.networks.polar import VIEWS, Polar
from napari_orient.learning.networks.swin import SwinTransformer
from napari_orient.learning.networks.weights import load_imagenet

if TYPE_CHECKING:
    from torch import nn

    from napari_orient.learning.config import NetworkConfig

Build = Callable[["NetworkConfig", int, int], "nn.Module"]
"""From (config, outputs, size) to a network with weights drawn at random."""


@dataclass(frozen=True)
class Variant:
    """A network of the registry, and what it was trained with in the paper's Table 2.

    Attributes
    ----------
    name, label
        For configurations; for people, as in the paper's table.
    build
        From (config, outputs, size) to the network, its weights drawn at random.
    pretrained
        It starts from ImageNet weights, which have to be given.
    size
        Pixels along the side of the patterns that it likes to be given.
    works_at
        Pixels along the side that it computes with, where it enlarges the patterns itself.
    batch, learning_rate, schedule
        What suits its training; "step" is lr0 * 0.995^((i + 1) / 500), i counting steps.
    hypotheses
        Rotations of a mixture that suit it.
    mixtures_only
        It answers with a mixture, and with nothing else.
    at_once
        Patterns that it predicts fastest side by side on a processor.
    """

    name: str
    label: str
    build: Build
    pretrained: bool = False
    size: int = 128
    works_at: int = 128
    batch: int = 64
    learning_rate: float = 5e-4
    schedule: Literal["constant", "step", "cosine"] = "step"
    hypotheses: int = 8
    mixtures_only: bool = False
    at_once: int = 64


NETWORKS: dict[str, Variant] = {}


def register(name: str, label: str, **more: Any) -> Callable[[Build], Build]:
    """Enter a builder into `NETWORKS`; the parameters are those of `Variant`.

    Raises
    ------
    ValueError
        The name is taken.
    """

    def enter(build: Build) -> Build:
        if name in NETWORKS:
            raise ValueError(f"there is a network {name!r} already")
        NETWORKS[name] = Variant(name, label, build, **more)
        return build

    return enter


def variant(name: str) -> Variant:
    """Find a network by its name.

    Raises
    ------
    ValueError
        There is no such network.
    """
    if name not in NETWORKS:
        raise ValueError(f"there is no network {name!r}; there are {', '.join(NETWORKS)}")
    return NETWORKS[name]


def build_network(
    name: str, config: NetworkConfig, outputs: int, size: int, *, imagenet: bool = True
) -> nn.Module:
    """Build a network, ready to be trained: (n, 1, size, size) in [0, 1] to (n, outputs).

    Parameters
    ----------
    name
        Key of `NETWORKS`.
    config
        Its settings; ``weights`` is the file with ImageNet weights of a pre-trained one.
    outputs
        Numbers for each pattern.
    size
        Pixels along the side of the patterns.
    imagenet
        Load the ImageNet weights; False where a trained model's own weights follow.

    Raises
    ------
    ValueError
        There is no such network; a pre-trained one is given no weights, a plain one is given some.
    UnreadableFile
        The weights cannot be read or do not fit.
    """
    kind = variant(name)
    if imagenet:
        _check_weights(kind, config.weights)
    network = kind.build(config, outputs, size)
    if imagenet and kind.pretrained and config.weights is not None:
        load_imagenet(network, config.weights)
    return network


def _check_weights(kind: Variant, weights: str | None) -> None:
    """Refuse to start under a name that says something else."""
    if kind.pretrained and not weights:
        raise ValueError(
            f"{kind.name} starts from ImageNet weights: give their file as 'weights' "
            f"(torchvision's {_official(kind.name)}), or take a network that starts without"
        )
    if weights and not kind.pretrained:
        start = kind.name.split("-")[0]
        names = [n for n, v in NETWORKS.items() if v.pretrained and n.startswith(start)]
        hint = f" (here: {', '.join(names)})" if names else ""
        raise ValueError(
            f"{kind.name} starts from random weights: leave 'weights' empty, or take a network "
            f"that is pre-trained{hint}"
        )


def _official(name: str) -> str:
    """The file that torchvision publishes for a network of ours."""
    return "densenet121-a639ec97.pth" if name.startswith("densenet") else "swin_t-704ceda3.pth"


@register("cnn", "CNN")
def _cnn(config: NetworkConfig, outputs: int, size: int) -> nn.Module:
    return Cnn(outputs, size, config.kernel_size, config.conv_layers)


@register("densenet121-pretrained", "DenseNet-121 pre-trained", pretrained=True)
@register("densenet121", "DenseNet-121 plain")
def _densenet(config: NetworkConfig, outputs: int, size: int) -> nn.Module:
    return DenseNet(outputs)


@register(
    "swin-t-modified-fc",
    "SwinT plain, modified FC",
    batch=32,
    learning_rate=1e-4,
    schedule="constant",
)
@register(
    "swin-t-pretrained-model",
    "SwinT pre-trained, adjusted model",
    pretrained=True,
    batch=32,
    learning_rate=1e-4,
    schedule="constant",
)
def _swin(config: NetworkConfig, outputs: int, size: int) -> nn.Module:
    return SwinTransformer(outputs)


@register(
    "swin-t-custom-fc",
    "SwinT plain, custom FC",
    batch=32,
    learning_rate=1e-4,
    schedule="constant",
)
def _swin_two_layers(config: NetworkConfig, outputs: int, size: int) -> nn.Module:
    return SwinTransformer(outputs, hidden=256)


@register(
    "swin-t-pretrained-images",
    "SwinT pre-trained, adjusted images",
    pretrained=True,
    works_at=224,
    batch=32,
    learning_rate=1e-4,
    schedule="constant",
)
def _swin_enlarged(config: NetworkConfig, outputs: int, size: int) -> nn.Module:
    return SwinTransformer(outputs, enlarge_to=224)


@register(
    "compact",
    "Compact",
    size=64,
    works_at=64,
    batch=256,
    learning_rate=1e-3,
    schedule="cosine",
)
def _compact(config: NetworkConfig, outputs: int, size: int) -> nn.Module:
    return Compact(outputs, size)


@register(
    "polar",
    "Polar",
    size=64,
    works_at=64,
    batch=256,
    learning_rate=1e-2,
    schedule="cosine",
    hypotheses=VIEWS,
    mixtures_only=True,
    at_once=128,
)
def _polar(config: NetworkConfig, outputs: int, size: int) -> nn.Module:
    return Polar(outputs, size)
