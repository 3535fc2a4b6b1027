"""How do published ImageNet weights come into our networks?

Networks here see one channel and say something else than ImageNet's thousand classes: the first
convolution's three channels are summed (a grey photograph had the same values in each), and the
last layers are left as they were drawn.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from napari_orient.files import UnreadableFile, check_file

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import Tensor, nn

LAST = ("classifier.", "head.", "fc.")
WRAPPERS = ("state_dict", "model", "model_state_dict")
AGAIN = "Copy or download it again"
OFFICIAL = "Take the weights that torchvision publishes for this network"


def load_imagenet(network: nn.Module, path: str | Path) -> None:
    """Load published weights into a network, but for its last layers.

    Parameters
    ----------
    network
        From `registry.build_network`; changed in place, and only if everything fits.
    path
        ``.safetensors``, or ``.pth`` with a state dict; names as torchvision's, in DenseNet also
        the older ``norm.1``, with or without ``module.`` before them.

    Raises
    ------
    UnreadableFile
        The file is broken, holds more than plain weights, or weights of another network.
    """
    path = check_file(path)
    given = {_name(k): v for k, v in _read(path).items()}
    wanted = {k: v for k, v in network.state_dict().items() if not k.startswith(LAST)}
    given = {k: v for k, v in given.items() if not k.startswith(LAST)}
    given = {k: v for k, v in given.items() if k in wanted or not k.endswith("attn_mask")}
    _check_names(path, given, wanted)
    fitted = {k: _fitted(path, k, given[k], v) for k, v in wanted.items() if k in given}
    network.load_state_dict(fitted, strict=False)


def _read(path: Path) -> Mapping[str, Tensor]:
    """Read the tensors of a file by their names."""
    if path.is_dir():
        raise UnreadableFile(path, "is a folder", "Choose the file with the weights.")
    if path.suffix.lower() == ".safetensors":
        try:
            return load_file(path)
        except (SafetensorError, OSError, ValueError) as error:
            raise UnreadableFile(
                path, f"is not a whole safetensors file ({_first_line(error)})", f"{AGAIN}."
            ) from error
    return _state_dict(path, _torch_load(path))


def _torch_load(path: Path) -> Any:
    """Read plain weights; whatever else a pickle holds is not run."""
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except MemoryError:
        raise
    except Exception as error:  # torch, zipfile and pickle raise whatever a broken file meets
        program = re.search(r"Unsupported (?:global|class)\W+(?:GLOBAL )?([\w.]+)", str(error))
        if program is None and "TorchScript" not in str(error):
            raise UnreadableFile(
                path, f"cannot be read as weights ({_first_line(error)})", f"{AGAIN}."
            ) from error
        raise UnreadableFile(
            path,
            f"is a pickle that holds more than weights ({program[1] if program else 'TorchScript'})"
            ": opening it could run any program hidden in it, so it stays closed",
            "Where you trust it, open it where it was made, save model.state_dict() and load that.",
        ) from error


def _state_dict(path: Path, content: Any) -> Mapping[str, Tensor]:
    """Find the tensors by their names in what a ``.pth`` holds."""
    for wrapper in WRAPPERS:
        if isinstance(content, dict) and isinstance(content.get(wrapper), dict):
            content = content[wrapper]
    if not isinstance(content, dict) or not content:
        raise UnreadableFile(path, "holds no weights by their names", f"{OFFICIAL}.")
    odd = next((k for k, v in content.items() if not isinstance(v, torch.Tensor)), None)
    if odd is not None:
        raise UnreadableFile(path, f"holds more than weights: {odd!r}", f"{OFFICIAL}.")
    return content


def _name(key: str) -> str:
    """Today's name of a tensor: no wrapper, and denselayer's norm.1 is norm1."""
    key = key.removeprefix("module.")
    return re.sub(r"(denselayer\d+\.)(norm|relu|conv)\.(\d)", r"\1\2\3", key)


def _check_names(path: Path, given: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> None:
    """Refuse weights of another network.

    The counts of seen batches, which older files have not, and the index into the bias table,
    which is the same in every file, may be missing.
    """
    spare = ("num_batches_tracked", "relative_position_index")
    missing = [k for k in wanted if k not in given and not k.endswith(spare)]
    odd = [k for k in given if k not in wanted]
    if missing or odd:
        said = [f"lacks {_some(missing)}"] * bool(missing) + [f"has {_some(odd)}"] * bool(odd)
        raise UnreadableFile(
            path, f"holds weights of another network: it {' and '.join(said)}", f"{OFFICIAL}."
        )


def _some(names: list[str]) -> str:
    """The first three names, and how many there are."""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def _fitted(path: Path, name: str, given: Tensor, wanted: Tensor) -> Tensor:
    """Bring a tensor to the shape of ours: three channels of the first convolution are summed."""
    if given.ndim == 4 and wanted.ndim == 4 and given.shape[1] == 3 and wanted.shape[1] == 1:
        given = given.sum(1, keepdim=True)
    if given.shape != wanted.shape and given.numel() == wanted.numel() and given.ndim < 3:
        given = given.reshape(wanted.shape)  # the index of the bias table, once a square
    if given.shape != wanted.shape:
        raise UnreadableFile(
            path,
            f"has {name} as {tuple(given.shape)}, this network as {tuple(wanted.shape)}",
            f"{OFFICIAL}.",
        )
    if given.is_floating_point() and not given.isfinite().all():
        raise UnreadableFile(path, f"has numbers in {name} that are not finite", f"{AGAIN}.")
    return given


def _first_line(error: Exception) -> str:
    """What torch says first, without its advice to open the file all the same."""
    first = (str(error).splitlines() or [""])[0].split(". ")[0]
    return f"{type(error).__name__}: {first}"[:120]
