"""DeiT's vision transformer and the audio spectrogram transformer (AST), in plain torch with seeded weights.

Modules and parameters have the names of timm's, from which both are published.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Attention(nn.Module):
    """Heads that read all tokens; one layer makes q, k and v."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """x: (batch, tokens, width)."""
        batch, tokens, width = x.shape
        parts = self.qkv(x).reshape(batch, tokens, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        found = F.scaled_dot_product_attention(*parts.unbind(0))
        return self.proj(found.transpose(1, 2).reshape(batch, tokens, width))


class Mlp(nn.Module):
    """Two layers with GELU between them."""

    def __init__(self, width: int):
        super().__init__()
        self.fc1, self.act, self.fc2 = nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """x: (batch, tokens, width)."""
        return self.fc2(self.act(self.fc1(x)))


class Block(nn.Module):
    """Attention, then two layers, each after a norm and with a shortcut."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.norm1, self.norm2 = (nn.LayerNorm(width, eps=1e-6) for _ in range(2))
        self.attn, self.mlp = Attention(width, heads), Mlp(width)

    def forward(self, x: Tensor) -> Tensor:
        """x: (batch, tokens, width)."""
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class Patches(nn.Module):
    """A token of every patch."""

    def __init__(self, channels: int, width: int, stride: int):
        super().__init__()
        self.proj = nn.Conv2d(channels, width, 16, stride)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, height, width) -> (batch, tokens, width)."""
        return self.proj(x).flatten(2).transpose(1, 2)


class Deit(nn.Module):
    """Images (batch, 3, side, side) -> logits; with a side of 224 the 5.7 million parameters of DeiT-tiny."""

    def __init__(self, side=224, width=192, heads=3, depth=12, classes=1000):
        super().__init__()
        self.patch_embed = Patches(3, width, 16)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + (side // 16) ** 2, width))
        self.blocks = nn.Sequential(*(Block(width, heads) for _ in range(depth)))
        self.norm, self.head = nn.LayerNorm(width, eps=1e-6), nn.Linear(width, classes)

    def forward(self, x: Tensor) -> Tensor:
        """x: (batch, 3, side, side)."""
        x = self.patch_embed(x)
        x = torch.cat([self.cls_token.expand(x.shape[0], -1, -1), x], dim=1)
        return self.head(self.norm(self.blocks(x + self.pos_embed))[:, 0])


class Ast(nn.Module):
    """Log-mel frames (batch, frames, 128) -> logits: overlapping patches, two class tokens, the mean of both read."""

    def __init__(self, frames=128, width=768, heads=12, depth=12, classes=50):
        super().__init__()
        tokens = ((frames - 16) // 10 + 1) * ((128 - 16) // 10 + 1)
        self.patch_embed = Patches(1, width, 10)
        self.cls_token, self.dist_token = (nn.Parameter(torch.zeros(1, 1, width)) for _ in range(2))
        self.pos_embed = nn.Parameter(torch.zeros(1, 2 + tokens, width))
        self.blocks = nn.Sequential(*(Block(width, heads) for _ in range(depth)))
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.mlp_head = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, classes))

    def forward(self, x: Tensor) -> Tensor:
        """x: (batch, frames, 128)."""
        x = self.patch_embed(x.unsqueeze(1).transpose(2, 3))
        tokens = [token.expand(x.shape[0], -1, -1) for token in (self.cls_token, self.dist_token)]
        x = self.norm(self.blocks(torch.cat([*tokens, x], dim=1) + self.pos_embed))
        return self.mlp_head((x[:, 0] + x[:, 1]) / 2)


def seeded(network: nn.Module) -> nn.Module:
    """Layers and tokens drawn as before a training, with the logits spread as those of a trained network are."""
    torch.manual_seed(0)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if parameter.ndim > 1:
                nn.init.trunc_normal_(parameter, std=0.02 if "embed" in name or "token" in name else 0.05)
        last = [module for module in network.modules() if isinstance(module, nn.Linear)][-1]
        nn.init.normal_(last.weight, std=2 * last.in_features**-0.5)
    return network.eval()
