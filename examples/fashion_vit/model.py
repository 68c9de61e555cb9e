# SPDX-License-Identifier: Apache-2.0
"""A plain pre-norm vision transformer for 28x28 grey-scale images.

Patch embedding by a 2x2 convolution (196 tokens), a class token, a learned
position embedding, blocks of {LayerNorm, multi-head attention, LayerNorm,
two-layer GELU MLP} with residual connections, and a linear head on the
normalised class token. Module names follow the usual ones (timm, DeiT).

Images smaller than 28x28 are taken too, for training only: the position
embedding is then area-averaged to their token grid.
"""

import math

import torch
import torch.nn.functional as F
from torch import nn


class Attention(nn.Module):
    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.head_dim = dim // heads
        self.explicit = False  # MatMul/Softmax/MatMul, as the export needs
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)

    def _spread(self, x: torch.Tensor) -> torch.Tensor:
        """[B, T, D] -> [B, heads, T, head size]"""
        return x.unflatten(2, (self.heads, self.head_dim)).transpose(1, 2)

    def _attend(self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        out = F.scaled_dot_product_attention(*map(self._spread, (q, k, v)))
        return self.proj(out.transpose(1, 2).flatten(2))

    def first_token(self, x: torch.Tensor) -> torch.Tensor:
        """The output of token 0 alone, [B, 1, D]."""
        dim = x.shape[2]
        weight, bias = self.qkv.weight, self.qkv.bias
        q = F.linear(x[:, :1], weight[:dim], bias[:dim])
        k, v = F.linear(x, weight[dim:], bias[dim:]).chunk(2, 2)
        return self._attend(q, k, v)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.explicit:
            return self._attend(*self.qkv(x).chunk(3, 2))
        batch, tokens, dim = x.shape
        qkv = self.qkv(x).reshape(batch, tokens, 3, self.heads, self.head_dim)
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        logits = (q * self.head_dim**-0.5) @ k.transpose(-2, -1)
        out = logits.softmax(-1) @ v
        return self.proj(out.transpose(1, 2).reshape(batch, tokens, dim))


class Mlp(nn.Module):
    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(dim, hidden)
        self.act = nn.GELU()  # the exact one, by erf
        self.fc2 = nn.Linear(hidden, dim)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc2(self.act(self.fc1(x)))


class Block(nn.Module):
    def __init__(self, dim: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps=1e-6)
        self.attn = Attention(dim, heads)
        self.norm2 = nn.LayerNorm(dim, eps=1e-6)
        self.mlp = Mlp(dim, hidden)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))

    def first_token(self, x: torch.Tensor) -> torch.Tensor:
        """As forward, but the output of token 0 alone, [B, 1, D]."""
        x = x[:, :1] + self.attn.first_token(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class PatchEmbed(nn.Module):
    def __init__(self, dim: int, patch: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(1, dim, patch, stride=patch)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.proj(x).flatten(2).transpose(1, 2)


class VisionTransformer(nn.Module):
    def __init__(
        self,
        dim: int = 128,
        depth: int = 6,
        heads: int = 2,
        mlp_ratio: float = 2.0,
        classes: int = 10,
        image: int = 28,
        patch: int = 2,
    ) -> None:
        super().__init__()
        if dim % heads:
            raise ValueError(f"width {dim} is not divisible by {heads} heads")
        self.config = dict(
            dim=dim,
            depth=depth,
            heads=heads,
            mlp_ratio=mlp_ratio,
            classes=classes,
            image=image,
            patch=patch,
        )
        self.grid = image // patch
        self.patch_embed = PatchEmbed(dim, patch)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, dim))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + self.grid**2, dim))
        self.blocks = nn.ModuleList(Block(dim, heads, int(dim * mlp_ratio)) for _ in range(depth))
        self.norm = nn.LayerNorm(dim, eps=1e-6)
        self.head = nn.Linear(dim, classes)
        init_weights(self)

    def _positions(self, grid: int) -> torch.Tensor:
        if grid == self.grid:
            return self.pos_embed
        first, rest = self.pos_embed[:, :1], self.pos_embed[:, 1:]
        rest = rest.reshape(1, self.grid, self.grid, -1).permute(0, 3, 1, 2)
        rest = F.adaptive_avg_pool2d(rest, grid)
        return torch.cat([first, rest.flatten(2).transpose(1, 2)], 1)

    def forward(self, x: torch.Tensor, keep: torch.Tensor | None = None) -> torch.Tensor:
        """Logits [B, classes]; `keep` [B, K] picks patch tokens (training)."""
        tokens = self.patch_embed(x)
        first = self.cls_token.expand(x.shape[0], -1, -1)
        pos = self._positions(x.shape[-1] // self.config["patch"])
        tokens = torch.cat([first, tokens], 1) + pos
        if keep is not None:
            rest = tokens[:, 1:].gather(1, keep[:, :, None].expand(-1, -1, tokens.shape[2]))
            tokens = torch.cat([tokens[:, :1], rest], 1)
        for block in self.blocks[:-1]:
            tokens = block(tokens)
        last = self.blocks[-1]
        # the head reads token 0 alone: training spares the others
        tokens = last.first_token(tokens) if self.training else last(tokens)
        return self.head(self.norm(tokens[:, 0]))


def sincos_positions(grid: int, dim: int) -> torch.Tensor:
    """Fixed 2-D sine/cosine position embedding, [grid * grid, dim]."""
    quarter = dim // 4
    freq = 1.0 / 100.0 ** (torch.arange(quarter) / quarter)
    angle = torch.arange(grid)[:, None] * freq[None]
    line = torch.cat([angle.sin(), angle.cos()], 1)  # [grid, dim / 2]
    rows = line[:, None].expand(grid, grid, -1)
    cols = line[None].expand(grid, grid, -1)
    return torch.cat([rows, cols], 2).reshape(grid * grid, dim)


@torch.no_grad()
def _mimetic(attn: Attention, dim: int) -> None:
    """Attention weights as trained ones look (Trockman and Kolter, 2023).

    Per head, W_q^T W_k is close to the identity, and W_proj W_v of all the
    heads together is close to its negative; both are factored by SVD.
    """
    heads, size = attn.heads, attn.head_dim
    noise = dim**-0.5
    eye = torch.eye(dim)
    for head in range(heads):
        rows = slice(head * size, (head + 1) * size)
        u, s, vh = torch.linalg.svd(0.7 * noise * torch.randn(dim, dim) + 0.7 * eye)
        root = s[:size].sqrt()
        attn.qkv.weight[:dim][rows] = (u[:, :size] * root).T
        attn.qkv.weight[dim : 2 * dim][rows] = root[:, None] * vh[:size]
    u, s, vh = torch.linalg.svd(0.4 * noise * torch.randn(dim, dim) - 0.4 * eye)
    root = s.sqrt()
    attn.proj.weight[:] = u * root
    attn.qkv.weight[2 * dim :] = root[:, None] * vh


@torch.no_grad()
def init_weights(model: VisionTransformer) -> None:
    dim = model.config["dim"]
    for module in model.modules():
        if isinstance(module, nn.Linear):
            nn.init.trunc_normal_(module.weight, std=dim**-0.5 / 2)
            nn.init.zeros_(module.bias)
    nn.init.trunc_normal_(model.cls_token, std=0.02)
    model.pos_embed[0, 1:] = 0.5 * sincos_positions(model.grid, dim)
    for block in model.blocks:
        _mimetic(block.attn, dim)
        # keep the residual stream small at the start
        block.mlp.fc2.weight /= math.sqrt(2 * len(model.blocks))
    nn.init.zeros_(model.head.weight)
