"""What does the Swin transformer (tiny) look like for patterns?

Liu et al., ICCV (2021) 10012. Names of parameters are torchvision's, so that published weights
fit; the first convolution sees one channel. Windows of 7x7 tokens do not fill the maps of a
pattern of 128 pixels: as in torchvision, the rest is filled with zeros that take part in the
attention.
"""

from __future__ import annotations

from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from napari_orient.learning.networks.caching import in_parts

DEPTHS = (2, 2, 6, 2)
HEADS = (3, 6, 12, 24)
WIDTH = 96
PATCH = 4
WINDOW = 7
TOKENS = WINDOW * WINDOW
_LARGE = 4  # patches and stages whose maps do not fit the cache
APART = -1e4  # added to logits: torchvision's -100 makes denormal numbers, which are slow


class WindowAttention(nn.Module):
    """Attention among the 7x7 tokens of a window, which may be shifted by 3.

    Parameters
    ----------
    width, heads
        Channels, and how many attentions share them.
    shifted
        Windows are shifted, so that neighbours of the other layers' windows meet.
    """

    relative_position_index: Tensor

    def __init__(self, width: int, heads: int, shifted: bool) -> None:
        super().__init__()
        self.heads = heads
        self.shifted = shifted
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        table = torch.empty((2 * WINDOW - 1) ** 2, heads)
        self.relative_position_bias_table = nn.Parameter(nn.init.trunc_normal_(table, std=0.02))
        self.register_buffer("relative_position_index", _relative_index())

    def forward(self, x: Tensor) -> Tensor:
        """(n, h, w, width) to the same."""
        n, height, width, channels = x.shape
        if _is_small(height, width):
            return self._at_once(x)
        order, back, apart = _windows(height, width, self.shifted, x.device)
        tokens = x.flatten(1, 2)
        if len(order) > height * width:
            tokens = F.pad(tokens, (0, 0, 0, 1))  # one zero stands for all of the padding
        parts = self.qkv(tokens).index_select(1, order)
        parts = parts.view(-1, TOKENS, 3, self.heads, channels // self.heads)
        q, k, v = parts.permute(2, 0, 3, 1, 4)  # (n * windows, heads, 49, d), not copied
        bias = self._bias()[None].to(q.dtype)
        if self.shifted:  # as many as there are windows of all patterns
            bias = (bias + apart.to(q.dtype)[:, None]).expand(n, -1, -1, -1, -1).flatten(0, 1)
        y = F.scaled_dot_product_attention(q, k, v, bias)
        y = y.transpose(1, 2).reshape(n, -1, channels).index_select(1, back)
        out: Tensor = self.proj(y.view(x.shape))
        return out

    def _at_once(self, x: Tensor) -> Tensor:
        """Do the same for all tokens of a small map together: half the work, and none is moved.

        Those of other windows are masked. What is added to the logits of the padding differs, and
        nothing else: it is one key, with the logarithm of the sum of the exponentials.
        """
        n, height, width, channels = x.shape
        place, which, apart, padding = _pairs(height, width, self.shifted, x.device)
        tokens, inside = x.flatten(1, 2), height * width
        if height % WINDOW or width % WINDOW:
            tokens = F.pad(tokens, (0, 0, 0, 1))
        parts = self.qkv(tokens).view(n, -1, 3, self.heads, channels // self.heads)
        q, k, v = parts.permute(2, 0, 3, 1, 4)
        bias = self.relative_position_bias_table[self.relative_position_index[place]]
        bias = bias + apart[..., None]  # (tokens, 49, heads)
        padded = bias.masked_fill(~padding[..., None], 2 * APART).logsumexp(1, keepdim=True)
        bias = torch.cat([bias, padded, torch.full_like(padded, APART)], 1)
        which = which[:, : tokens.shape[1], None].expand(-1, -1, self.heads)
        bias = bias.gather(1, which).permute(2, 0, 1)[None]
        y = F.scaled_dot_product_attention(q[:, :, :inside], k, v, bias.to(q.dtype))
        out: Tensor = self.proj(y.transpose(1, 2).reshape(x.shape))
        return out

    def _bias(self) -> Tensor:
        """What the distance of two tokens adds to their logit, (heads, 49, 49)."""
        table = self.relative_position_bias_table[self.relative_position_index]
        return table.view(TOKENS, TOKENS, self.heads).permute(2, 0, 1)


class SwinBlock(nn.Module):
    """Attention and a perceptron of two layers, each beside a shortcut.

    Parameters
    ----------
    width, heads, shifted
        As of `WindowAttention`.
    skip
        Probability that a branch is left out for a pattern in training (stochastic depth).
    """

    def __init__(self, width: int, heads: int, shifted: bool, skip: float = 0.0) -> None:
        super().__init__()
        self.skip = skip
        self.norm1 = nn.LayerNorm(width)
        self.attn = WindowAttention(width, heads, shifted)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width),
            nn.GELU(),
            nn.Identity(),  # torchvision's dropouts, for the names
            nn.Linear(4 * width, width),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(n, h, w, width) to the same."""
        x = x + self._kept(self.attn(self.norm1(x)))
        return x + self._kept(self.mlp(self.norm2(x)))

    def _kept(self, branch: Tensor) -> Tensor:
        if not self.training or self.skip == 0:
            return branch
        keep = torch.rand(len(branch), 1, 1, 1, device=branch.device) >= self.skip
        return branch * (keep / (1 - self.skip)).to(branch.dtype)


class PatchMerging(nn.Module):
    """Four neighbours become one token of twice the width."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(4 * width)
        self.reduction = nn.Linear(4 * width, 2 * width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(n, h, w, width) to (n, ceil(h / 2), ceil(w / 2), 2 * width)."""
        x = F.pad(x, (0, 0, 0, x.shape[2] % 2, 0, x.shape[1] % 2))
        columns = x[:, :, 0::2], x[:, :, 1::2]
        x = torch.cat([c[:, i::2] for c in columns for i in (0, 1)], -1)
        out: Tensor = self.reduction(self.norm(x))
        return out


class _Last(nn.Module):
    """Channels last, at the place of torchvision's permutation."""

    def forward(self, x: Tensor) -> Tensor:
        return x.permute(0, 2, 3, 1)


class SwinTransformer(nn.Module):
    """Swin-T: four stages of shifted-window attention.

    Parameters
    ----------
    outputs
        Numbers for each pattern.
    hidden
        Width of a layer between the features and the outputs; None: one linear layer.
    enlarge_to
        Patterns are enlarged to this many pixels first.
    channels
        Of the input; 3 for photographs.
    skip
        Stochastic depth of the last block; falls to 0 towards the first.
    """

    def __init__(
        self,
        outputs: int,
        hidden: int | None = None,
        enlarge_to: int | None = None,
        channels: int = 1,
        skip: float = 0.0,
    ) -> None:
        super().__init__()
        self.enlarge_to = enlarge_to
        patches = nn.Sequential(
            nn.Conv2d(channels, WIDTH, PATCH, PATCH), _Last(), nn.LayerNorm(WIDTH)
        )
        skips = iter(torch.linspace(0, skip, sum(DEPTHS)).tolist())
        features: list[nn.Module] = [patches]
        for stage, (depth, heads) in enumerate(zip(DEPTHS, HEADS, strict=True)):
            width = WIDTH << stage
            if stage:
                features.append(PatchMerging(width // 2))
            blocks = [SwinBlock(width, heads, i % 2 == 1, next(skips)) for i in range(depth)]
            features.append(nn.Sequential(*blocks))
        self.features = nn.Sequential(*features)
        self.norm = nn.LayerNorm(width)
        self.head: nn.Module = nn.Linear(width, outputs)
        if hidden is not None:
            self.head = nn.Sequential(
                nn.Linear(width, hidden), nn.ReLU(inplace=True), nn.Linear(hidden, outputs)
            )
        self.apply(_start)

    def forward(self, images: Tensor) -> Tensor:
        """Patterns (n, channels, size, size), any size from 4, to (n, outputs)."""
        if self.enlarge_to is not None and images.shape[-1] != self.enlarge_to:
            images = F.interpolate(
                images, size=(self.enlarge_to,) * 2, mode="bilinear", align_corners=False
            )
        x = in_parts(self.features[:_LARGE], images)
        x = self.norm(self.features[_LARGE:](x))
        out: Tensor = self.head(x.mean((1, 2)))
        return out


def _start(module: nn.Module) -> None:
    """Draw the weights of linear layers as the authors did."""
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def _relative_index() -> Tensor:
    """Which row of the bias table two tokens of a window share, (49 * 49,)."""
    place = torch.cartesian_prod(torch.arange(WINDOW), torch.arange(WINDOW))
    step = place[:, None] - place[None] + WINDOW - 1
    return (step[..., 0] * (2 * WINDOW - 1) + step[..., 1]).flatten()


@lru_cache(maxsize=64)
def _windows(
    height: int, width: int, shifted: bool, device: torch.device
) -> tuple[Tensor, Tensor, Tensor]:
    """How the tokens of a map go into windows, and who may look at whom.

    Returns
    -------
    order
        (windows * 49,): the token at each place; padding is the token height * width.
    back
        (height * width,): the place of each token.
    apart
        (windows, 49, 49): added to the logits; large where two tokens of a window come
        from opposite ends of the map, between which the shift has closed a ring.
    """
    with torch.inference_mode(False):  # kept for later calls, which may want gradients
        rows, row_end = _windows_along(height, shifted)
        columns, column_end = _windows_along(width, shifted)
        inside = (rows < height)[:, None] & (columns < width)
        token = torch.where(inside, rows[:, None] * width + columns, height * width)
        order = _cut(token).flatten()
        back = order.argsort(stable=True)[: height * width]
        region = _cut(3 * row_end[:, None] + column_end)
        differ = region[:, :, None] != region[:, None, :]
        apart = differ.float() * APART
        return order.to(device), back.to(device), apart.to(device)


def _is_small(height: int, width: int) -> bool:
    """Say whether all tokens together are fewer pairs than those of the windows."""
    windows = -(-height // WINDOW) * -(-width // WINDOW)
    return (height * width) ** 2 <= windows * TOKENS**2


@lru_cache(maxsize=64)
def _pairs(
    height: int, width: int, shifted: bool, device: torch.device
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """What each token of a map sees in its window.

    Returns
    -------
    place
        (tokens, 49): which pair of places in a window it is, of 49 * 49.
    which
        (tokens, tokens + 1): where each token, and the padding, is found among 49 + 2: in the
        window, 49 = all of the padding, 50 = not at all.
    apart
        (tokens, 49), as of `_windows`.
    padding
        (tokens, 49) bool.
    """
    with torch.inference_mode(False):
        order, back, apart = (t.cpu() for t in _windows(height, width, shifted, device))
        window, own = back // TOKENS, back % TOKENS
        seen = order.view(-1, TOKENS)[window]  # (tokens, 49)
        tokens = height * width
        which = torch.full((tokens, tokens + 1), TOKENS + 1)
        which.scatter_(1, seen, torch.arange(TOKENS).expand(tokens, -1))
        which[:, tokens] = TOKENS
        found = (own[:, None] * TOKENS + torch.arange(TOKENS), which, apart[window, own])
        place, which, apart = (t.to(device) for t in found)
        return place, which, apart, (seen == tokens).to(device)


def _windows_along(length: int, shifted: bool) -> tuple[Tensor, Tensor]:
    """One axis, padded and shifted: the token at each place, and which end it comes from."""
    padded = -(-length // WINDOW) * WINDOW
    shift = WINDOW // 2 if shifted and padded > WINDOW else 0
    places = (torch.arange(padded) + shift) % padded
    end = torch.zeros(padded, dtype=torch.int64)
    if shift:
        end[-WINDOW:-shift], end[-shift:] = 1, 2
    return places, end


def _cut(grid: Tensor) -> Tensor:
    """(h, w) to (windows, 49)."""
    height, width = grid.shape
    cut = grid.view(height // WINDOW, WINDOW, width // WINDOW, WINDOW)
    return cut.transpose(1, 2).reshape(-1, TOKENS)
