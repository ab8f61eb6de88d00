#!/usr/bin/env python3
"""The PyTorch side of peers.py: trains a head on features that are computed once.

A network of torchvision in channels-last order, with BatchNorm folded into the convolutions. Prints
one line of JSON. It runs in an environment of its own, without TensorFlow.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path

import torch
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torch.utils.data import DataLoader
from torchvision import io, models
from torchvision.datasets import ImageFolder
from torchvision.transforms import v2


def main() -> None:
    """Train on train/ and validate on val/."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--network", required=True)
    parser.add_argument("--precision", choices=["float32", "bfloat16"], required=True)
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--batch-size", type=int, required=True)
    parser.add_argument("--lr", type=float, required=True)
    options = parser.parse_args()
    torch.manual_seed(0)
    precision = getattr(torch, options.precision)
    network = frozen(options.network).to(precision, memory_format=torch.channels_last)
    size = v2.Resize((224, 224), antialias=False)
    start = time.monotonic()
    parts = []
    for name in ("train", "val"):
        images = ImageFolder(options.data / name, transform=size, loader=read)
        features, labels = [], []
        with torch.inference_mode():
            for x, y in DataLoader(images, options.batch_size, num_workers=processors()):
                x = scaled(x).to(precision, memory_format=torch.channels_last)
                features.append(network(x).float().mean((2, 3)))
                labels.append(y)
        parts.append((torch.cat(features), torch.cat(labels)))
    rate = sum(len(y) for _, y in parts) / (time.monotonic() - start)
    (x, y), held = parts
    train(x.clone(), y, held, options)
    print(json.dumps({"rate": rate}))


def processors() -> int:
    """As many processes read images as there are processors."""
    return len(os.sched_getaffinity(0))


def read(path: str) -> torch.Tensor:
    """Decode a file with libjpeg-turbo or libpng."""
    return io.decode_image(path, io.ImageReadMode.RGB)


def scaled(x: torch.Tensor) -> torch.Tensor:
    """Normalize as ImageNet's weights expect it."""
    mean, deviation = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    return v2.functional.normalize(x.float() / 255, mean, deviation)


def frozen(name: str) -> torch.nn.Module:
    """The network without its top, with BatchNorm folded into the convolutions."""
    network = models.get_model(name).eval()
    if hasattr(network, "features"):
        network = network.features
    else:
        network = torch.nn.Sequential(*list(network.children())[:-2])
    network.requires_grad_(False)
    fold(network)
    return network


def fold(module: torch.nn.Module) -> None:
    """Fold each BatchNorm into the convolution that was defined before it."""
    before, before_name = None, ""
    for name, child in list(module.named_children()):
        if isinstance(child, torch.nn.BatchNorm2d) and isinstance(before, torch.nn.Conv2d):
            setattr(module, before_name, fuse_conv_bn_eval(before, child))
            setattr(module, name, torch.nn.Identity())
        fold(child)
        before, before_name = child, name


def train(
    x: torch.Tensor,
    y: torch.Tensor,
    held: tuple[torch.Tensor, torch.Tensor],
    options: argparse.Namespace,
) -> None:
    """Train a linear head, with validation after each epoch."""
    head = torch.nn.Linear(x.shape[1], int(y.max()) + 1)
    optimizer = torch.optim.Adam(head.parameters(), options.lr)
    loss = torch.nn.CrossEntropyLoss()
    for _ in range(options.epochs):
        for index in torch.randperm(len(x)).split(options.batch_size):
            optimizer.zero_grad()
            loss(head(x[index]), y[index]).backward()
            optimizer.step()
        with torch.inference_mode():
            loss(head(held[0]), held[1]).item()


if __name__ == "__main__":
    main()
