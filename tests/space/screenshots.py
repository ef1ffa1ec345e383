# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Takes the pictures of the demo that the documentation shows: `python -m tests.space.screenshots`."""

import argparse
import tempfile
import time
from pathlib import Path

from PIL import Image

from .browser import Visitor
from .server import running


# Name, window, theme, whether it is a phone.
PICTURES = (
    ("demo-desktop", (1200, 1560), "light", False),
    ("demo-phone", (390, 1500), "light", True),
    ("demo-dark", (1200, 1560), "dark", False),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, help="folder of the model; by default the demo's own")
    parser.add_argument("--output", type=Path, default=Path("docs"))
    parser.add_argument("--example", type=int, default=4, help="which example is shown, from 0")
    arguments = parser.parse_args()
    model = None if arguments.model is None else arguments.model.resolve()
    with tempfile.TemporaryDirectory() as folder, running(model, Path(folder)) as server:
        for name, (width, height), theme, phone in PICTURES:
            visitor = Visitor(server.url, width, height, theme=theme, phone=phone)
            try:
                visitor.answer(lambda visitor=visitor: visitor.click("#examples .thumbnail-item", arguments.example))
                visitor.driver.execute_script("scrollTo(0, 0)")
                time.sleep(2)
                picture = Path(folder) / f"{name}.png"
                visitor.driver.save_screenshot(str(picture))
            finally:
                visitor.close()
            output = arguments.output / f"{name}.png"
            # 256 colours are enough for a page of few, and a third of the size.
            Image.open(picture).convert("RGB").quantize(256, dither=Image.Dither.NONE).save(output, optimize=True)
            print(f"{output}: {output.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
