# SPDX-License-Identifier: Apache-2.0
"""Train the example vision transformer; see README.md.

Training runs in stages, `--stages size:tokens:epochs,...`: the image side in
pixels (28 is averaged down to it), how many patch tokens are kept (the rest is
dropped at random, those with content less often), and how many passes over
the data. Small stages come first, since a step costs about what its tokens
do; the last stage should be the full one, 28:196.
"""

import argparse
import time
from pathlib import Path

import augment
import data
import numpy as np
import torch
import torch.nn.functional as F
from model import VisionTransformer
from muon import Muon


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--data", required=True, help="training images: .npz or IDX folder")
    add("--test", required=True, help="test images: .npz or IDX folder")
    add("--out", type=Path, default=Path("run"), help="folder for checkpoint and log")
    add("--resume", action="store_true", help="go on from the checkpoint in --out")
    add("--teacher", help="teacher logits on the training set (teacher.py)")
    add("--stages", default="14:49:4.2,28:98:1.75,28:196:0.3")
    add("--dim", type=int, default=128)
    add("--depth", type=int, default=6)
    add("--heads", type=int, default=2)
    add("--mlp-ratio", type=float, default=2.0)
    add("--batch", type=int, default=128)
    add("--lr", type=float, default=0.02, help="of Muon, for the matrices")
    add("--adam-lr", type=float, default=0.004, help="of AdamW, for the rest")
    add("--weight-decay", type=float, default=0.05)
    add("--warmup", type=float, default=0.015, help="fraction of the steps")
    add("--distill", type=float, default=0.8, help="weight of the teacher")
    add("--temperature", type=float, default=2.0)
    add("--smoothing", type=float, default=0.05, help="of the hard labels")
    add("--shift", type=int, default=1, help="largest random shift, pixels")
    add("--seed", type=int, default=0)
    add("--threads", type=int, default=0, help="0: all cores")
    add("--save-every", type=int, default=100, help="steps")
    add("--eval-every", type=float, default=1.0, help="epochs")
    add(
        "--eval-images",
        type=int,
        default=1000,
        help="test images looked at during training (the end takes all)",
    )
    add("--max-steps", type=int, default=0, help="stop early (trial runs)")
    return parser.parse_args()


def parse_stages(text: str, steps_per_epoch: int) -> list[tuple[int, int, int]]:
    """[(size, tokens, last step), ...] from `size:tokens:epochs,...`."""
    stages, end = [], 0
    for part in text.split(","):
        size, tokens, epochs = part.split(":")
        end += round(float(epochs) * steps_per_epoch)
        stages.append((int(size), int(tokens), end))
    return stages


def optimisers(
    model: VisionTransformer, args: argparse.Namespace
) -> tuple[Muon, torch.optim.AdamW]:
    """Muon for the matrices inside the blocks, AdamW for all else."""
    stacked, single, decay, plain = [], [], [], []
    for name, param in model.named_parameters():
        if name.startswith("blocks.") and param.ndim == 2:
            (stacked if name.endswith("qkv.weight") else single).append(param)
        else:
            (decay if param.ndim in (2, 4) else plain).append(param)
    muon = Muon(
        [dict(params=stacked, stacked=3), dict(params=single)],
        lr=args.lr,
        weight_decay=args.weight_decay,
    )
    adam = torch.optim.AdamW(
        [dict(params=decay, weight_decay=args.weight_decay), dict(params=plain, weight_decay=0.0)],
        lr=args.adam_lr,
        betas=(0.9, 0.98),
    )
    return muon, adam


def rate(step: int, total: int, warmup: float) -> float:
    """Learning rate factor: a linear rise, then linear to zero."""
    rise = max(1.0, warmup * total)
    return min((step + 1) / rise, (total - step) / max(1.0, total - rise))


def choose_tokens(
    images: torch.Tensor, count: int, patch: int, generator: torch.Generator
) -> torch.Tensor | None:
    """Patches to keep, [B, count], or None for all of them."""
    means = F.avg_pool2d(images, patch).flatten(1)
    if count >= means.shape[1]:
        return None
    content = (means > means.min() + 0.05).float()
    score = torch.rand(means.shape, generator=generator) + 0.5 * content
    return score.topk(count, dim=1).indices


def distillation_loss(
    out: torch.Tensor, labels: torch.Tensor, teacher: torch.Tensor | None, args: argparse.Namespace
) -> torch.Tensor:
    hard = F.cross_entropy(out, labels, label_smoothing=args.smoothing)
    if teacher is None:
        return hard
    temp = args.temperature
    soft = (
        F.kl_div(
            F.log_softmax(out / temp, 1),
            F.log_softmax(teacher / temp, 1),
            reduction="batchmean",
            log_target=True,
        )
        * temp
        * temp
    )
    return args.distill * soft + (1 - args.distill) * hard


@torch.no_grad()
def accuracy(
    model: VisionTransformer,
    images: torch.Tensor,
    labels: torch.Tensor,
    size: int,
    batch: int = 250,
) -> float:
    model.eval()
    hits = 0
    for x, y in zip(images.split(batch), labels.split(batch), strict=True):
        x = F.adaptive_avg_pool2d(x, size)
        hits += int((model(x).argmax(1) == y).sum())
    model.train()
    return 100.0 * hits / len(images)


class Log:
    """Lines to the screen and to a file."""

    def __init__(self, path: Path, keep: bool) -> None:
        self.path = path
        if not keep:
            path.write_text("")

    def __call__(self, line: str) -> None:
        print(line, flush=True)
        with self.path.open("a") as handle:
            handle.write(line + "\n")


def tensors(path: str, prefix: str) -> tuple[torch.Tensor, torch.Tensor]:
    images, labels = data.load(path, prefix)
    return torch.from_numpy(data.normalise(images)), torch.from_numpy(labels)


def main() -> None:
    args = parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    generator = torch.Generator().manual_seed(args.seed)
    args.out.mkdir(parents=True, exist_ok=True)
    checkpoint = args.out / "checkpoint.pt"
    log = Log(args.out / "train.log", args.resume)

    images, labels = tensors(args.data, "train")
    test_x, test_y = tensors(args.test, "t10k")
    teacher = None
    if args.teacher:
        teacher = torch.from_numpy(np.load(args.teacher))
        if teacher.shape != (len(images), 10):
            raise ValueError("teacher logits do not fit the training set")

    model = VisionTransformer(args.dim, args.depth, args.heads, args.mlp_ratio).train()
    muon, adam = optimisers(model, args)
    per_epoch = len(images) // args.batch
    stages = parse_stages(args.stages, per_epoch)
    total = stages[-1][2]
    step, spent = 0, 0.0

    if args.resume:
        state = torch.load(checkpoint, weights_only=True)
        if state["config"] != model.config:
            raise ValueError("the checkpoint is of another architecture")
        model.load_state_dict(state["model"])
        muon.load_state_dict(state["muon"])
        adam.load_state_dict(state["adam"])
        generator.set_state(state["rng"])
        step, spent = state["step"], state["seconds"]
        log(f"resumed at step {step}")
    else:
        count = sum(p.numel() for p in model.parameters())
        log(
            f"width {args.dim}, depth {args.depth}, heads {args.heads}, "
            f"MLP ratio {args.mlp_ratio:g}, {count} parameters"
        )
    log(
        f"stages {args.stages}, {total} steps of {args.batch}, "
        f"seed {args.seed}, {torch.get_num_threads()} thread(s)"
    )

    def save() -> None:
        partial = checkpoint.with_suffix(".new")
        torch.save(
            dict(
                config=model.config,
                model=model.state_dict(),
                muon=muon.state_dict(),
                adam=adam.state_dict(),
                rng=generator.get_state(),
                step=step,
                seconds=spent + time.time() - start,
            ),
            partial,
        )
        partial.replace(checkpoint)

    def report(size: int) -> None:
        n = args.eval_images
        top1 = accuracy(model, test_x[:n], test_y[:n], size)
        log(f"step {step}: test top-1 {top1:.2f} % ({min(n, len(test_x))} images of {size}x{size})")

    start = time.time()
    seen = hits = loss_sum = 0
    order, order_epoch = None, -1
    end = min(total, args.max_steps or total)
    while step < end:
        epoch, place = divmod(step, per_epoch)
        if epoch != order_epoch:  # depends on seed and epoch alone
            shuffle = torch.Generator().manual_seed(1000 * args.seed + epoch)
            order = torch.randperm(len(images), generator=shuffle)
            order_epoch = epoch
        size, tokens, _ = next(s for s in stages if step < s[2])
        factor = rate(step, total, args.warmup)
        for opt, peak in ((muon, args.lr), (adam, args.adam_lr)):
            for group in opt.param_groups:
                group["lr"] = peak * factor

        index = order[place * args.batch : (place + 1) * args.batch]
        x = augment.flip_shift(images[index], args.shift, generator)
        x = F.adaptive_avg_pool2d(x, size)
        keep = choose_tokens(x, tokens, model.config["patch"], generator)
        out = model(x, keep)
        loss = distillation_loss(
            out, labels[index], None if teacher is None else teacher[index], args
        )
        muon.zero_grad(set_to_none=True)
        adam.zero_grad(set_to_none=True)
        loss.backward()
        muon.step()
        adam.step()
        step += 1

        seen += len(index)
        hits += int((out.argmax(1) == labels[index]).sum())
        loss_sum += float(loss.detach()) * len(index)
        if step % 50 == 0 or step == end:
            log(
                f"step {step}/{total} epoch {step / per_epoch:.2f} "
                f"size {size} tokens {tokens} loss {loss_sum / seen:.4f} "
                f"train top-1 {100 * hits / seen:.2f} % "
                f"lr {args.lr * factor:.5f} "
                f"{spent + time.time() - start:.0f} s"
            )
            seen = hits = loss_sum = 0
        if step % args.save_every == 0 or step == end:
            save()
        if step % max(1, round(args.eval_every * per_epoch)) == 0:
            report(size)
    top1 = accuracy(model, test_x, test_y, 28)
    log(f"end: test top-1 {top1:.2f} % ({len(test_x)} images of 28x28)")


if __name__ == "__main__":
    main()
