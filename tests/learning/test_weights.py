import re

import pytest
import torch
from safetensors.torch import save_file

from napari_orient.files import UnreadableFile
from napari_orient.learning.config import NetworkConfig
from napari_orient.learning.networks.densenet import DenseNet
from napari_orient.learning.networks.registry import build_network
from napari_orient.learning.networks.swin import SwinTransformer
from napari_orient.learning.networks.weights import load_imagenet


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Two threads wait for each other for minutes where other programs want the cores too."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def photographs():
    """What ImageNet's DenseNet-121 publishes, with numbers of our own."""
    torch.manual_seed(1)
    weights = DenseNet(1000, channels=3).state_dict()
    for value in weights.values():
        if value.is_floating_point() and value.ndim == 1:
            value.uniform_(0.5, 1.5)
    return weights


def old_names(weights):
    """As in the file of 2017: denselayer1.norm.1, and no counts of batches."""
    pattern = re.compile(r"(denselayer\d+\.(?:norm|conv))(\d)")
    return {
        pattern.sub(r"\1.\2", k): v for k, v in weights.items() if "num_batches_tracked" not in k
    }


def check(network, weights):
    """Everything but the last layer is loaded; a grey photograph gives the same features."""
    peer = DenseNet(1000, channels=3)
    peer.load_state_dict(weights)
    grey = torch.rand(2, 1, 64, 64)
    with torch.inference_mode():
        ours = network.eval().features(grey)
        theirs = peer.eval().features(grey.expand(-1, 3, -1, -1))
    assert (ours - theirs).abs().max() < 1e-4 * theirs.abs().max()
    assert network.classifier.weight.shape == (3, 1024)


@pytest.mark.parametrize("kind", ["safetensors", "pth", "old", "module", "wrapped"])
def test_densenet_in_every_dress(tmp_path, photographs, kind):
    path = tmp_path / "densenet121.pth"
    if kind == "safetensors":
        path = path.with_suffix(".safetensors")
        save_file(photographs, path)
    elif kind == "module":
        torch.save({f"module.{k}": v for k, v in photographs.items()}, path)
    elif kind == "wrapped":
        torch.save({"state_dict": photographs, "epoch": 90}, path)
    else:
        torch.save(old_names(photographs) if kind == "old" else photographs, path)
    config = NetworkConfig(name="densenet121-pretrained", weights=str(path))
    check(build_network(config.name, config, 3, 64), photographs)


def test_swin_of_half_precision(tmp_path):
    torch.manual_seed(2)
    peer = SwinTransformer(1000, channels=3).half()
    path = tmp_path / "swin_t.safetensors"
    save_file(peer.state_dict(), path)
    config = NetworkConfig(name="swin-t-pretrained-model", weights=str(path))
    network = build_network(config.name, config, 3, 128).eval()
    peer = peer.float().eval()
    grey = torch.rand(1, 1, 64, 64)
    with torch.inference_mode():
        ours, theirs = network.features(grey), peer.features(grey.expand(-1, 3, -1, -1))
    assert (ours - theirs).abs().max() < 1e-3 * theirs.abs().max()


def test_swin_s_index_may_be_square_or_missing(tmp_path):
    weights = SwinTransformer(2).state_dict()
    name = "features.7.1.attn.relative_position_index"
    weights[name] = weights[name].view(49, 49)
    del weights["features.7.0.attn.relative_position_index"]
    path = tmp_path / "swin.pth"
    torch.save(weights, path)
    network = SwinTransformer(2)
    load_imagenet(network, path)
    assert torch.equal(network.features[7][1].mlp[0].weight, weights["features.7.1.mlp.0.weight"])
    assert network.features[7][1].attn.relative_position_index.shape == (2401,)


@pytest.fixture(scope="module")
def network():
    return DenseNet(3)


def refused(network, path, *words):
    before = {k: v.clone() for k, v in network.state_dict().items()}
    with pytest.raises(UnreadableFile) as caught:
        load_imagenet(network, path)
    message = str(caught.value)
    assert str(path) in message
    for word in words:
        assert word in message
    assert all(torch.equal(v, before[k]) for k, v in network.state_dict().items())
    return message


def test_missing_and_odd_names_are_said(tmp_path, photographs, network):
    path = tmp_path / "weights.pth"
    weights = dict(photographs)
    del weights["features.norm5.weight"]
    weights["features.norm6.weight"] = torch.ones(2)
    torch.save(weights, path)
    refused(
        network, path, "lacks features.norm5.weight", "has features.norm6.weight", "torchvision"
    )
    torch.save({"conv1.weight": torch.ones(64, 3, 7, 7)}, path)
    refused(network, path, "another network", "more", "has conv1.weight")


def test_wrong_shape_and_broken_numbers_are_said(tmp_path, photographs, network):
    path = tmp_path / "weights.pth"
    name = "features.denseblock1.denselayer1.conv1.weight"
    torch.save(photographs | {name: torch.ones(128, 32, 1, 1)}, path)
    refused(network, path, name, "(128, 32, 1, 1)", "(128, 64, 1, 1)")
    torch.save(photographs | {name: torch.full((128, 64, 1, 1), torch.nan)}, path)
    refused(network, path, name, "not finite")


def test_broken_files_are_said(tmp_path, photographs, network):
    whole = tmp_path / "whole.safetensors"
    save_file(photographs, whole)
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(whole.read_bytes()[:100_000])
    refused(network, cut, "not a whole safetensors file", "download it again")
    torch.save(photographs, tmp_path / "whole.pth")
    cut = tmp_path / "cut.pth"
    cut.write_bytes((tmp_path / "whole.pth").read_bytes()[:100_000])
    refused(network, cut, "cannot be read as weights", "download it again")
    page = tmp_path / "page.pth"
    page.write_text("<!DOCTYPE html><html>not found</html>" * 20)
    assert "weights_only" not in refused(network, page, "cannot be read as weights")
    refused(network, tmp_path / "nowhere.pth", "does not exist")
    refused(network, tmp_path, "is a folder")
    torch.save(torch.ones(3), page)
    refused(network, page, "holds no weights by their names")
    torch.save({"features.conv0.weight": "none"}, page)
    refused(network, page, "holds more than weights: 'features.conv0.weight'")


def test_a_pickled_model_stays_closed(tmp_path, network):
    path = tmp_path / "model.pt"
    torch.save(torch.nn.Linear(2, 2), path)
    message = refused(network, path, "torch.nn.modules.linear.Linear", "stays closed", "state_dict")
    assert "weights_only" not in message
