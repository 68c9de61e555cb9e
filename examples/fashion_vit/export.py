# SPDX-License-Identifier: Apache-2.0
"""Turn a checkpoint of train.py into one self-contained ONNX file.

The graph is traced with attention spelled out (MatMul, Softmax, MatMul), has
input `images` float32 [batch, 1, 28, 28], already normalised, and output
`logits` [batch, 10]. How to normalise and what the classes are called is kept
in the model's metadata: hwgen.mean, hwgen.std, hwgen.classes.
"""

import argparse
import collections
from pathlib import Path

import data
import numpy as np
import onnx
import torch
from model import VisionTransformer


def load_checkpoint(path: str | Path) -> VisionTransformer:
    state = torch.load(path, weights_only=True)
    model = VisionTransformer(**state["config"])
    model.load_state_dict(state["model"])
    model.eval()
    for block in model.blocks:
        block.attn.explicit = True
    return model


def strip(proto: onnx.ModelProto) -> None:
    """Remove what the tracer notes about the machine it ran on."""
    proto.doc_string = ""
    proto.graph.doc_string = ""
    proto.producer_name, proto.producer_version = "hwgen", ""
    del proto.metadata_props[:]
    del proto.graph.metadata_props[:]
    graph = proto.graph
    for group in (graph.node, graph.input, graph.output, graph.value_info, graph.initializer):
        for item in group:
            item.doc_string = ""
            del item.metadata_props[:]


def export(model: VisionTransformer, path: Path) -> onnx.ModelProto:
    size = model.config["image"]
    batch = torch.export.Dim("batch", min=1)
    partial = path.with_name(path.name + ".part")
    torch.onnx.export(
        model,
        (torch.zeros(2, 1, size, size),),
        partial,
        dynamo=True,
        opset_version=18,
        input_names=["images"],
        output_names=["logits"],
        dynamic_shapes=({0: batch},),
        external_data=False,
        verbose=False,
    )
    proto = onnx.load(partial)
    partial.unlink()
    strip(proto)
    for key, value in (
        ("hwgen.mean", f"{data.MEAN:.4f}"),
        ("hwgen.std", f"{data.STD:.4f}"),
        ("hwgen.classes", ",".join(data.CLASSES)),
    ):
        proto.metadata_props.add(key=key, value=value)
    onnx.checker.check_model(proto, full_check=True)
    onnx.save(proto, partial)
    partial.replace(path)
    return proto


def accuracy(path: str | Path, images: np.ndarray, labels: np.ndarray, batch: int = 250) -> float:
    """Top-1 by onnxruntime, in percent."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(str(path), options, ["CPUExecutionProvider"])
    hits = 0
    for at in range(0, len(images), batch):
        x = data.normalise(images[at : at + batch])
        out = session.run(["logits"], {"images": x})[0]
        hits += int((out.argmax(1) == labels[at : at + batch]).sum())
    return 100.0 * hits / len(images)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkpoint")
    parser.add_argument("onnx", type=Path)
    parser.add_argument("--test", help="check on these: .npz or IDX folder")
    parser.add_argument("--subset", help="write the first images there (.npz)")
    parser.add_argument("--subset-images", type=int, default=1000)
    parser.add_argument("--threads", type=int, default=0, help="0: all cores")
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    proto = export(load_checkpoint(args.checkpoint), args.onnx)
    ops = collections.Counter(node.op_type for node in proto.graph.node)
    print(
        f"{args.onnx}: {args.onnx.stat().st_size} bytes,",
        ", ".join(f"{n} {op}" for op, n in sorted(ops.items())),
    )
    if args.test:
        images, labels = data.load(args.test, "t10k")
        print(
            f"onnxruntime top-1 {accuracy(args.onnx, images, labels):.2f} % ({len(images)} images)"
        )
        if args.subset:
            n = args.subset_images
            np.savez_compressed(args.subset, images=images[:n], labels=labels[:n].astype(np.uint8))


if __name__ == "__main__":
    main()
