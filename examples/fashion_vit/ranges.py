# SPDX-License-Identifier: Apache-2.0
"""Print how large the values inside a trained model become.

For every block: the largest magnitude in the residual stream after it, in the
inputs of its four linear layers and in its attention logits, with the 99.9th
percentile of the residual stream. These decide how well it quantises.
"""

import argparse

import data
import torch
from export import load_checkpoint
from model import VisionTransformer
from torch import nn


@torch.no_grad()
def measure(model: VisionTransformer, images: torch.Tensor, batch: int = 50) -> dict:
    """Largest magnitudes, by (block, what) and by name."""
    peaks: dict = {}

    def note(key: str | tuple, tensor: torch.Tensor) -> None:
        peaks[key] = max(peaks.get(key, 0.0), float(tensor.abs().max()))

    hooks = []
    for n, block in enumerate(model.blocks):

        def after(module: nn.Module, inputs: tuple, output: torch.Tensor, n: int = n) -> None:
            note((n, "residual"), output)
            q = torch.quantile(output.abs().flatten()[::7], 0.999)
            note((n, "99.9 %"), q)

        def qkv(
            module: nn.Module,
            inputs: tuple,
            output: torch.Tensor,
            n: int = n,
            attn: nn.Module = block.attn,
        ) -> None:
            note((n, "qkv"), inputs[0])
            b, t, _ = inputs[0].shape
            q, k, _ = output.reshape(b, t, 3, attn.heads, -1).permute(2, 0, 3, 1, 4).unbind(0)
            note((n, "logits"), q @ k.transpose(-2, -1) * attn.head_dim**-0.5)

        hooks += [block.register_forward_hook(after), block.attn.qkv.register_forward_hook(qkv)]
        for name, layer in (
            ("proj", block.attn.proj),
            ("fc1", block.mlp.fc1),
            ("fc2", block.mlp.fc2),
        ):
            hooks.append(
                layer.register_forward_hook(lambda m, i, o, key=(n, name): note(key, i[0]))
            )
    hooks.append(model.blocks[0].register_forward_pre_hook(lambda m, i: note("embedding", i[0])))
    hooks.append(
        model.head.register_forward_hook(lambda m, i, o: (note("head", i[0]), note("out", o)))
    )
    for x in images.split(batch):
        model(x)
    for hook in hooks:
        hook.remove()
    return peaks


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkpoint")
    parser.add_argument("--test", required=True, help=".npz or IDX folder")
    parser.add_argument("--images", type=int, default=500)
    parser.add_argument("--threads", type=int, default=0, help="0: all cores")
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    model = load_checkpoint(args.checkpoint)
    images, _ = data.load(args.test, "t10k")
    peaks = measure(model, torch.from_numpy(data.normalise(images[: args.images])))
    columns = ("residual", "99.9 %", "qkv", "proj", "fc1", "fc2", "logits")
    print("block " + "".join(f"{c:>10}" for c in columns))
    for n in range(len(model.blocks)):
        print(f"{n:<6}" + "".join(f"{peaks[n, c]:10.2f}" for c in columns))
    print(
        f"embedded tokens {peaks['embedding']:.2f}, head input "
        f"{peaks['head']:.2f}, class logits {peaks['out']:.2f}"
    )


if __name__ == "__main__":
    main()
