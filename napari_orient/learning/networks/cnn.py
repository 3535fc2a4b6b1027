"""What does the paper's convolutional network look like?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

from napari_orient.learning.networks.caching import Pool, in_parts

if TYPE_CHECKING:
    from torch import Tensor

CHANNELS = (32, 64)
HIDDEN = (128, 64)


class Cnn(nn.Module):
    """Convolutions with ReLU and max-pooling, then three fully connected layers.

    Parameters
    ----------
    outputs
        Numbers for each pattern.
    size
        Pixels along the side of the patterns; 8.4 million parameters at 128.
    kernel_size
        Of the convolutions, in pixels.
    conv_layers
        Convolutions: of 32 channels, then of 64.

    Raises
    ------
    ValueError
        The pooling of so many layers leaves nothing of the patterns.
    """

    def __init__(
        self, outputs: int, size: int = 128, kernel_size: int = 3, conv_layers: int = 2
    ) -> None:
        super().__init__()
        side = size >> conv_layers
        if side < 1:
            raise ValueError(
                f"conv_layers: each of the {conv_layers} halves the pattern, and nothing is left "
                f"of {size} pixels"
            )
        layers: list[nn.Module] = []
        channels = 1
        for i in range(conv_layers):
            wider = CHANNELS[min(i, 1)]
            left, right = (kernel_size - 1) // 2, kernel_size // 2
            if left != right:  # an even kernel has no middle
                layers += [nn.ZeroPad2d((left, right, left, right))]
            layers += [nn.Conv2d(channels, wider, kernel_size, padding=left * (left == right))]
            # the ReLU after the pooling: the same, and a quarter of the work
            layers += [Pool(), nn.ReLU(inplace=True)]
            channels = wider
        self.features = nn.Sequential(*layers)
        self.fc = nn.Sequential(
            nn.Linear(channels * side * side, HIDDEN[0]),
            nn.ReLU(inplace=True),
            nn.Linear(*HIDDEN),
            nn.ReLU(inplace=True),
            nn.Linear(HIDDEN[1], outputs),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Patterns (n, 1, size, size) to (n, outputs)."""
        out: Tensor = self.fc(in_parts(self.features, images).flatten(1))
        return out
