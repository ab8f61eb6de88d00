#!/usr/bin/env python3
"""The PyTorch side of article.py: the same training, as fast as we can make it there.

Photographs are decoded and resized once, processes of their own augment them, the network is in
channels-last order, and the validation part passes the frozen network once. Prints one line of
JSON. It runs in the environment of peer_torch.py.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import torch
from peer_torch import frozen, processors, read, scaled
from torch.utils.data import DataLoader
from torchvision.datasets import ImageFolder
from torchvision.transforms import v2

Images = list[tuple[torch.Tensor, int]]


def photographs(folder: Path) -> Images:
    """All images of a folder with their labels, in memory."""
    images = ImageFolder(folder, transform=v2.Resize((224, 224), antialias=False), loader=read)
    return [*DataLoader(images, batch_size=None, num_workers=processors())]


def main() -> None:
    """Train on train/ and validate on val/."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path)
    for name, kind in {"network": str, "precision": str, "epochs": int, "batch": int}.items():
        parser.add_argument(f"--{name}", type=kind, required=True)
    parser.add_argument("--units", type=int, required=True)
    parser.add_argument("--lr", type=float, required=True)
    options = parser.parse_args()
    torch.manual_seed(1)
    precision = getattr(torch, options.precision)
    network = frozen(options.network).to(precision, memory_format=torch.channels_last)

    def features(x: torch.Tensor) -> torch.Tensor:
        with torch.inference_mode():
            x = scaled(x).to(precision, memory_format=torch.channels_last)
            return network(x).float().flatten(1)

    bilinear = v2.InterpolationMode.BILINEAR
    affine = v2.RandomAffine(0, scale=(0.8, 1.2), shear=0.2, interpolation=bilinear)
    change = v2.Compose([affine, v2.RandomHorizontalFlip()])

    def changed(images: Images) -> tuple[torch.Tensor, torch.Tensor]:
        x, y = zip(*images, strict=True)
        return torch.stack([change(image) for image in x]), torch.tensor(y).float()

    held = DataLoader(photographs(options.data / "val"), options.batch)
    x, y = (torch.cat(part) for part in zip(*((features(x), y) for x, y in held), strict=True))
    head = torch.nn.Sequential(
        torch.nn.Linear(x.shape[1], options.units),
        torch.nn.ReLU(),
        torch.nn.Linear(options.units, 1),
    )
    optimizer = torch.optim.Adam(head.parameters(), options.lr)
    loss = torch.nn.BCEWithLogitsLoss()
    batches = DataLoader(
        photographs(options.data / "train"),
        options.batch,
        shuffle=True,
        collate_fn=changed,
        num_workers=processors(),
        persistent_workers=True,
    )
    seconds = 0.0
    for _ in range(options.epochs):
        start = time.monotonic()
        for images, labels in batches:
            optimizer.zero_grad()
            loss(head(features(images).clone())[:, 0], labels).backward()
            optimizer.step()
        seconds += time.monotonic() - start
        with torch.inference_mode():
            loss(head(x)[:, 0], y.float()).item()
    print(json.dumps({"train": seconds}))


if __name__ == "__main__":
    main()
