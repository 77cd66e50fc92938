"""A newcomer's first contact: an ordinary torch export, a folder of PNGs, a fresh environment, four commands, timed.

    python examples/first_contact.py FOLDER [--package .]

trains a small network (torch, outside the time that is measured), exports it without any metadata, writes PNGs of a
dim, tilted camera, then runs the commands of docs/tutorial.md in a new virtual environment, with their times.
"""

import argparse
import shlex
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw

SHAPES = ("circle", "cross", "square")
SIDE = 32
REPOSITORY = Path(__file__).parent.parent


def draw(shape: str, random: np.random.Generator, dim: bool) -> Image.Image:
    """One shape of random place, size and colour on a noisy ground; dim: little light, another angle."""
    ground = random.integers(0, 90, (SIDE, SIDE, 3), dtype=np.uint8)
    image = Image.fromarray(ground)
    pen, size = ImageDraw.Draw(image), int(random.integers(6, 11))
    x, y = (int(random.integers(size + 1, SIDE - size - 1)) for _ in "xy")
    colour = tuple(int(value) for value in random.integers(120, 256, 3))
    if shape == "circle":
        pen.ellipse((x - size, y - size, x + size, y + size), outline=colour, width=3)
    elif shape == "square":
        pen.rectangle((x - size, y - size, x + size, y + size), outline=colour, width=3)
    else:
        pen.line((x - size, y, x + size, y), fill=colour, width=3)
        pen.line((x, y - size, x, y + size), fill=colour, width=3)
    if dim:
        image = image.rotate(float(random.uniform(10, 30)), Image.Resampling.BILINEAR)
        image = image.point(lambda value: value * 0.6 + 20)
    return image


def train(random: np.random.Generator) -> torch.nn.Module:
    """A small CNN that knows the shapes in good light, fed as by torchvision's ToTensor and ImageFolder."""
    torch.manual_seed(0)
    layers = []
    for inputs, outputs in ((3, 16), (16, 32), (32, 32)):
        layers += [
            torch.nn.Conv2d(inputs, outputs, 3, padding=1),
            torch.nn.BatchNorm2d(outputs),
            torch.nn.ReLU(),
        ]
        layers += [torch.nn.MaxPool2d(2)]
    net = torch.nn.Sequential(
        *layers, torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(32, 3)
    )
    labels = np.arange(1500) % 3
    x = np.stack([np.asarray(draw(SHAPES[label], random, False)) for label in labels])
    x, y = torch.tensor(x).permute(0, 3, 1, 2) / 255, torch.tensor(labels)
    optimizer = torch.optim.Adam(net.parameters(), 3e-3)
    for _step in range(250):
        chosen = torch.randint(0, len(x), (64,))
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(net(x[chosen]), y[chosen]).backward()
        optimizer.step()
    return net.eval()


def write_images(folder: Path, count: int, random: np.random.Generator) -> None:
    """`count` dim PNGs of every shape, one sub-folder each."""
    for shape in SHAPES:
        (folder / shape).mkdir(parents=True)
        for number in range(count):
            draw(shape, random, True).save(folder / shape / f"{number:03}.png")


def prepare(folder: Path) -> None:
    """What a newcomer brings: shapes.onnx as torch exports it, and two folders of PNGs."""
    random = np.random.default_rng(0)
    net = train(random)
    torch.onnx.export(net, (torch.zeros(1, 3, SIDE, SIDE),), folder / "shapes.onnx", verbose=False)
    write_images(folder / "photos", 60, random)
    write_images(folder / "others", 100, random)


def commands(package: str) -> list[str]:
    """The four commands, from nothing to an adapted network."""
    return [
        "python3 -m venv env",
        f"env/bin/pip install --quiet {shlex.quote(package)}",
        "env/bin/stepforward check shapes.onnx",
        "env/bin/stepforward adapt shapes.onnx --data photos --test others --out run",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="a new folder, or one whose network and images are there")
    parser.add_argument("--package", default=str(REPOSITORY), help="what pip installs")
    given = parser.parse_args()
    if not (given.folder / "shapes.onnx").exists():
        given.folder.mkdir(parents=True)
        prepare(given.folder)
    total = 0.0
    for command in commands(given.package):
        started = time.monotonic()
        done = subprocess.run(command, shell=True, cwd=given.folder, text=True, capture_output=True)
        total += time.monotonic() - started
        print(f"$ {command}    # {time.monotonic() - started:.1f} s\n{done.stdout}", flush=True)
        if done.returncode:
            sys.exit(done.stderr)
    print(f"four commands, {total:.0f} s")


if __name__ == "__main__":
    main()
