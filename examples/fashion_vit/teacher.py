# SPDX-License-Identifier: Apache-2.0
"""Train a small CNN and store its logits on the training set.

train.py reads them (`--teacher logits.npy`) as soft labels, the way DeiT is
distilled: a convolutional teacher passes its locality on to the transformer,
which matters when the transformer is trained for a few epochs only.
"""

import argparse
import time

import augment
import data
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn


def conv(c_in: int, c_out: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(c_in, c_out, 3, padding=1, bias=False), nn.BatchNorm2d(c_out), nn.ReLU()
    )


class Teacher(nn.Module):
    """Five 3x3 convolutions, the last two around a residual connection."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            conv(1, 32), nn.MaxPool2d(2), conv(32, 64), nn.MaxPool2d(2), conv(64, 128)
        )
        self.block = nn.Sequential(conv(128, 128))
        self.head = nn.Linear(128, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        x = x + self.block(x)
        return self.head(x.mean((2, 3)))


@torch.no_grad()
def logits_of(model: nn.Module, images: torch.Tensor, batch: int = 500) -> torch.Tensor:
    """Logits averaged over each image and its mirror image."""
    model.eval()
    out = [model(x) + model(x.flip(3)) for x in images.split(batch)]
    model.train()
    return torch.cat(out) / 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True, help=".npz or IDX folder")
    parser.add_argument("--test", required=True, help=".npz or IDX folder")
    parser.add_argument("--out", default="teacher_logits.npy")
    parser.add_argument("--epochs", type=int, default=7)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--lr", type=float, default=0.004)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=0, help="0: all cores")
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    generator = torch.Generator().manual_seed(args.seed)

    images, labels = data.load(args.data, "train")
    images, labels = (torch.from_numpy(data.normalise(images)), torch.from_numpy(labels))
    test_x, test_y = data.load(args.test, "t10k")
    test_x, test_y = (torch.from_numpy(data.normalise(test_x)), torch.from_numpy(test_y))

    model = Teacher().to(memory_format=torch.channels_last)
    steps = args.epochs * (len(images) // args.batch)
    opt = torch.optim.AdamW(model.parameters(), args.lr, weight_decay=0.05)
    sched = torch.optim.lr_scheduler.OneCycleLR(opt, args.lr, steps, pct_start=0.25)
    start = time.time()
    for epoch in range(args.epochs):
        order = torch.randperm(len(images), generator=generator)
        seen = hits = 0
        for index in order.split(args.batch):
            if len(index) < args.batch:
                continue
            x = augment.flip_shift(images[index], 2, generator)
            x = x.to(memory_format=torch.channels_last)
            out = model(x)
            loss = F.cross_entropy(out, labels[index], label_smoothing=0.05)
            opt.zero_grad(set_to_none=True)
            loss.backward()
            opt.step()
            sched.step()
            seen += len(index)
            hits += int((out.argmax(1) == labels[index]).sum())
        top1 = (logits_of(model, test_x).argmax(1) == test_y).float().mean()
        print(
            f"teacher epoch {epoch + 1}/{args.epochs}: "
            f"train {100 * hits / seen:.2f} %, test {100 * top1:.2f} %, "
            f"{time.time() - start:.0f} s",
            flush=True,
        )
    np.save(args.out, logits_of(model, images).numpy())


if __name__ == "__main__":
    main()
