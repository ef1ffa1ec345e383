# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Takes the pictures of answers that the documentation shows: `python -m tests.space.screenshots`."""

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

from PIL import Image, ImageOps

from training.cli.main import main as amess
from training.cli.predict import DEFAULT_MODEL

from .browser import Visitor
from .server import SPACE, running


# Name, window, theme, whether it is a phone.
PICTURES = (
    ("demo-desktop", (1200, 1560), "light", False),
    ("demo-phone", (390, 1500), "light", True),
    ("demo-dark", (1200, 1560), "dark", False),
)
ANSWER_WIDTH, MARGIN = 1200, 20


def save(picture: Path, output: Path, width: int | None = None) -> None:
    """Write a picture for a page: 256 colours are enough, and need a third of the bytes."""
    image = Image.open(picture).convert("RGB")
    if width is not None:
        image = image.resize((width, round(image.height * width / image.width)), Image.Resampling.LANCZOS)
    image.quantize(256, dither=Image.Dither.NONE).save(output, optimize=True)
    print(f"{output}: {output.stat().st_size / 1000:.0f} kB")


def take_pages(model: Path, example: int, folder: Path, output: Path) -> None:
    """Photograph the demo after a click on an example."""
    with running(model, folder) as server:
        for name, (width, height), theme, phone in PICTURES:
            visitor = Visitor(server.url, width, height, theme=theme, phone=phone)
            try:
                visitor.answer(lambda visitor=visitor: visitor.click("#examples .thumbnail-item", example))
                visitor.driver.execute_script("scrollTo(0, 0)")
                time.sleep(2)
                visitor.driver.save_screenshot(str(folder / f"{name}.png"))
            finally:
                visitor.close()
            save(folder / f"{name}.png", output / f"{name}.png")


def take_answer(model: Path, example: int, folder: Path, output: Path) -> None:
    """Draw the evidence for an example, as `amess predict --explain` does."""
    row = json.loads((SPACE / "examples" / "examples.json").read_text(encoding="utf-8"))[example]
    picture = folder / "answer.png"
    # The picture shows the path, so it must not be one of this machine.
    clip = os.path.relpath(SPACE / "examples" / row["file"], SPACE.parent)
    command = ["predict", clip, "--model", str(model), "--top_k", "3"]
    assert amess([*command, "--explain", str(picture)]) == 0
    with Image.open(picture) as image:
        inked = ImageOps.invert(image.convert("RGB")).getbbox()
        image.crop((0, 0, image.width, inked[3] + MARGIN)).save(picture)
    save(picture, output / "answer.png", ANSWER_WIDTH)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=Path(DEFAULT_MODEL), help="folder of the model (%(default)s)")
    parser.add_argument("--output", type=Path, default=Path("docs"), help="folder of the pictures (%(default)s)")
    parser.add_argument("--page_example", type=int, default=2, help="example on the pages, from 0 (%(default)s)")
    parser.add_argument("--answer_example", type=int, default=2, help="example of answer.png (%(default)s)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        model = arguments.model.resolve()
        take_pages(model, arguments.page_example, Path(folder), arguments.output)
        take_answer(model, arguments.answer_example, Path(folder), arguments.output)


if __name__ == "__main__":
    main()
