import math
from itertools import product

import pytest
import torch
import torch.nn.functional as F

from napari_orient.learning.config import NetworkConfig
from napari_orient.learning.networks.cnn import Cnn
from napari_orient.learning.networks.densenet import DenseNet
from napari_orient.learning.networks.prediction import for_prediction
from napari_orient.learning.networks.registry import NETWORKS, build_network, register
from napari_orient.learning.networks.swin import (
    PatchMerging,
    SwinTransformer,
    WindowAttention,
    _windows,
)

PLAIN = [name for name, kind in NETWORKS.items() if not kind.pretrained]


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Two threads wait for each other for minutes where other programs want the cores too."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def count(network):
    return sum(p.numel() for p in network.parameters())


def outputs_of(name):
    return 8 * NETWORKS[name].hypotheses if NETWORKS[name].mixtures_only else 3


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_reads_patterns(name):
    torch.manual_seed(1)
    outputs = outputs_of(name)
    network = build_network(name, NetworkConfig(name=name), outputs, 64, imagenet=False).eval()
    images = torch.rand(2, 1, 64, 64)
    with torch.inference_mode():
        out = network(images)
        assert out.shape == (2, outputs)
        assert out.isfinite().all()
        assert (out[0] - out[1]).abs().max() > 1e-6  # it looks at the pattern
        assert torch.allclose(network(images[:1]), out[:1], atol=1e-4)  # whatever is beside it


def test_the_paper_s_seven_networks_and_their_training():
    table = {n: (v.batch, v.learning_rate, v.schedule, v.pretrained) for n, v in NETWORKS.items()}
    for own in ("polar", "compact"):
        table.pop(own)
    swin = (32, 1e-4, "constant")
    assert table == {
        "cnn": (64, 5e-4, "step", False),
        "densenet121": (64, 5e-4, "step", False),
        "densenet121-pretrained": (64, 5e-4, "step", True),
        "swin-t-pretrained-model": (*swin, True),
        "swin-t-pretrained-images": (*swin, True),
        "swin-t-modified-fc": (*swin, False),
        "swin-t-custom-fc": (*swin, False),
    }
    assert NETWORKS["swin-t-pretrained-images"].works_at == 224
    assert len({v.label for v in NETWORKS.values()}) == len(NETWORKS)


def test_sizes_are_the_published_ones():
    assert count(DenseNet(1000, channels=3)) == 7_978_856
    assert count(SwinTransformer(1000, channels=3)) == 28_288_354
    assert round(count(Cnn(3)) / 1e6, 1) == 8.4


def test_names_of_parameters_are_torchvision_s():
    dense = DenseNet(1000).state_dict()
    assert len(dense) == 727
    assert dense["features.denseblock3.denselayer24.conv2.weight"].shape == (32, 128, 3, 3)
    assert dense["features.transition2.conv.weight"].shape == (256, 512, 1, 1)
    assert dense["features.norm5.running_var"].shape == dense["classifier.weight"].shape[1:]
    swin = SwinTransformer(1000).state_dict()
    assert len(swin) == 185
    assert swin["features.0.2.weight"].shape == (96,)
    assert swin["features.2.reduction.weight"].shape == (192, 384)
    assert swin["features.5.5.attn.relative_position_bias_table"].shape == (169, 12)
    assert swin["features.7.1.attn.relative_position_index"].shape == (2401,)
    assert swin["features.7.1.mlp.3.weight"].shape == (768, 3072)
    assert swin["head.weight"].shape == (1000, 768)


@pytest.mark.parametrize(
    "name",
    [
        "cnn",
        "densenet121",
        "swin-t-custom-fc",
        "compact",
        "polar",
    ],
)
def test_every_parameter_learns(name):
    torch.manual_seed(2)
    network = build_network(name, NetworkConfig(name=name), outputs_of(name), 64).train()
    with torch.autocast("cpu", torch.bfloat16):
        network(torch.rand(3, 1, 64, 64)).float().square().sum().backward()
    for key, value in network.named_parameters():
        assert value.grad is not None, key
        assert value.grad.isfinite().all(), key
    assert sum(bool(p.grad.any()) for p in network.parameters()) > 0.95 * len(
        list(network.parameters())
    )


def test_cnn_follows_its_settings():
    config = NetworkConfig(name="cnn", kernel_size=5, conv_layers=3)
    network = build_network("cnn", config, 3, 64)
    shapes = [tuple(p.shape) for p in network.parameters() if p.ndim == 4]
    assert shapes == [(32, 1, 5, 5), (64, 32, 5, 5), (64, 64, 5, 5)]
    assert network(torch.rand(1, 1, 64, 64)).shape == (1, 3)
    for size in range(1, 8):  # even ones, too
        assert Cnn(3, 32, kernel_size=size)(torch.rand(1, 1, 32, 32)).shape == (1, 3)
    with pytest.raises(ValueError, match="nothing is left of 16 pixels"):
        build_network("cnn", NetworkConfig(name="cnn", conv_layers=5), 3, 16)


def test_densenet_equals_monai_s():
    peers = pytest.importorskip("monai.networks.nets")  # not installed with the project
    torch.manual_seed(3)
    peer, ours = peers.DenseNet121(2, 1, 3), DenseNet(3)
    rename = {
        k: k.replace(".layers.", ".").replace("class_layers.out", "classifier")
        for k in peer.state_dict()
    }
    ours.load_state_dict({rename[k]: v for k, v in peer.state_dict().items()})
    images = torch.rand(3, 1, 64, 64)
    for training in (True, False):
        a, b = peer.train(training)(images), ours.train(training)(images)
        assert (a - b).abs().max() <= 1e-6 * a.abs().max()


def attention_window_by_window(attention, x, shift):
    """Plain loops over windows and pairs of tokens, from the authors' description."""
    height, width, channels = x.shape
    tall, wide = (-(-n // 7) * 7 for n in (height, width))
    padded = F.pad(x, (0, 0, 0, wide - width, 0, tall - height))
    qkv = attention.qkv(padded).view(tall, wide, 3, attention.heads, -1)
    out = torch.zeros(tall, wide, channels, dtype=x.dtype)
    table = attention.relative_position_bias_table.view(13, 13, -1)
    for top, left in product(range(0, tall, 7), range(0, wide, 7)):
        places = [(top + i + shift, left + j + shift) for i in range(7) for j in range(7)]
        for y, x_ in places:
            q = qkv[y % tall, x_ % wide, 0]
            met = [p for p in places if (p[0] >= tall, p[1] >= wide) == (y >= tall, x_ >= wide)]
            k = torch.stack([qkv[a % tall, b % wide, 1] for a, b in met])
            v = torch.stack([qkv[a % tall, b % wide, 2] for a, b in met])
            bias = torch.stack([table[y - a + 6, x_ - b + 6] for a, b in met])
            logits = (k * q).sum(-1) / math.sqrt(q.shape[-1]) + bias
            out[y % tall, x_ % wide] = (logits.softmax(0)[..., None] * v).sum(0).flatten()
    return attention.proj(out)[:height, :width]


@pytest.mark.parametrize(
    ("height", "width", "shifted"),
    [
        (8, 16, True),
        (14, 10, False),
        (7, 14, False),  # window by window
        (4, 4, True),
        (8, 8, True),
        (8, 8, False),  # small: all at once
    ],
)
def test_attention_equals_plain_loops(height, width, shifted):
    torch.manual_seed(4)
    attention = WindowAttention(12, 3, shifted).double()
    torch.nn.init.normal_(attention.relative_position_bias_table)
    torch.nn.init.normal_(attention.qkv.bias)
    x = torch.randn(2, height, width, 12, dtype=torch.float64)
    shift = 3 if shifted and max(height, width) > 7 else 0
    with torch.inference_mode():
        ours = attention(x)
        plain = torch.stack([attention_window_by_window(attention, one, shift) for one in x])
    assert (ours - plain).abs().max() < 1e-12


def test_four_neighbours_are_merged_in_the_published_order():
    merging = PatchMerging(2)
    merging.norm = merging.reduction = torch.nn.Identity()
    x = torch.arange(30.0).view(1, 3, 5, 2)
    out = merging(x)
    assert out.shape == (1, 2, 3, 8)
    assert torch.equal(out[0, 0, 1], torch.cat([x[0, 0, 2], x[0, 1, 2], x[0, 0, 3], x[0, 1, 3]]))
    assert torch.equal(out[0, 1, 2], torch.cat([x[0, 2, 4], torch.zeros(6)]))


def test_attention_makes_no_denormal_numbers():
    _, _, apart = _windows(8, 8, True, torch.device("cpu"))
    assert apart.min() < 0
    shares = (apart + 20 * torch.rand(apart.shape)).softmax(-1)
    assert ((shares == 0) | (shares > torch.finfo().tiny)).all()


def test_windows_made_without_gradients_serve_with_them():
    _windows.cache_clear()
    attention = WindowAttention(12, 3, True)
    with torch.inference_mode():
        attention(torch.rand(1, 8, 8, 12))
    attention(torch.rand(1, 8, 8, 12)).sum().backward()
    assert attention.relative_position_bias_table.grad.any()


def test_stochastic_depth_keeps_the_mean_and_only_in_training():
    torch.manual_seed(5)
    network = SwinTransformer(2, skip=0.5)
    images = torch.rand(1, 1, 32, 32)
    with torch.inference_mode():
        network.eval()
        assert torch.equal(network(images), network(images))
        network.train()
        assert not torch.equal(network(images), network(images))
        block = network.features[7][1]
        assert block.skip == 0.5
        kept = block._kept(torch.ones(4000, 1, 1, 1))
    assert set(kept.unique().tolist()) == {0.0, 2.0}
    assert abs(kept.mean() - 1) < 0.1


def test_enlarging_is_the_network_s_own():
    torch.manual_seed(6)
    network = SwinTransformer(3, enlarge_to=56).eval()
    images = torch.rand(1, 1, 32, 32)
    large = F.interpolate(images, size=(56, 56), mode="bilinear")
    with torch.inference_mode():
        assert torch.equal(network(images), network(large))


def test_bfloat16_says_nearly_the_same():
    torch.manual_seed(7)
    for name in PLAIN:
        network = build_network(name, NetworkConfig(name=name), outputs_of(name), 64).eval()
        images = torch.rand(4, 1, 64, 64)
        with torch.inference_mode():
            exact = network(images)
            with torch.autocast("cpu", torch.bfloat16):
                rough = network(images).float()
        assert (exact - rough).abs().max() < 0.05 * max(1.0, exact.abs().max()), name


def test_names_are_checked():
    with pytest.raises(ValueError, match="no network 'vgg'; there are cnn, "):
        build_network("vgg", NetworkConfig(), 3, 64)
    with pytest.raises(ValueError, match="a network 'cnn' already"):
        register("cnn", "again")(lambda *_: torch.nn.Identity())


def test_a_pretrained_name_wants_weights_and_a_plain_one_does_not():
    with pytest.raises(ValueError, match=r"starts from ImageNet weights.*densenet121-a639ec97"):
        build_network("densenet121-pretrained", NetworkConfig(), 3, 64)
    with pytest.raises(ValueError, match="starts from random weights"):
        build_network("densenet121", NetworkConfig(weights="there.pth"), 3, 64)


@pytest.mark.parametrize("name", ["cnn", "densenet121", "swin-t-modified-fc", "polar"])
def test_prediction_says_the_same_without_norms_over_the_batch(name):
    torch.manual_seed(8)
    network = build_network(name, NetworkConfig(name=name), outputs_of(name), 64).train()
    norms = [m for m in network.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    for norm in norms:
        torch.nn.init.uniform_(norm.weight, 0.5, 1.5)
        torch.nn.init.normal_(norm.bias)
        norm.momentum = 1.0
    images = torch.rand(4, 1, 64, 64)
    with torch.inference_mode():
        network(images)  # running means that are not 0 and 1
        exact = network.eval()(images)
        quick = for_prediction(network)
        assert (quick(images) - exact).abs().max() < 1e-4 * max(1.0, exact.abs().max())
        with torch.autocast("cpu", torch.bfloat16):
            rough = for_prediction(network, bfloat16=True)(images).float()
        assert (rough - exact).abs().max() < 0.1 * max(1.0, exact.abs().max())
    left = sum(isinstance(m, torch.nn.BatchNorm2d) for m in quick.modules())
    assert left <= 0.52 * len(norms)  # DenseNet has norms before convolutions, too
    assert {p.dtype for p in network.parameters()} == {torch.float32}
    assert [m for m in network.modules() if isinstance(m, torch.nn.BatchNorm2d)] == norms
