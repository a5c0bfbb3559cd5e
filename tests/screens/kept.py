"""Makes the small screenshots in docs/screens of those that look.py took: `python tests/screens/kept.py SHOTS`."""

from __future__ import annotations

import sys
from pathlib import Path

from browser import WIDTHS
from PIL import Image

KEPT = Path(__file__).resolve().parents[2] / "docs/screens"
SCREENS = {
    "index-desktop": "index-desktop",
    "index-phone": "index-phone",
    "claims-phone": "working-notebooks-claims-phone",
    "jupyterlab": "lab-figure1",
    "jupyterlab-without-results": "lab-figure1-without-results",
    "report": "report-figures-working-1",
}
"""Name -> screenshot."""
BELOW = {"claims-phone": 480}
"""Where a picture begins, in pixels below the top of its page; others begin there."""
COLOURS = 32


def main(shots: Path) -> None:
    """The first window full of each, in few colours."""
    Image.MAX_IMAGE_PIXELS = None  # pages are long
    KEPT.mkdir(exist_ok=True)
    for name, shot in SCREENS.items():
        width, height = WIDTHS["phone" if name.endswith("phone") else "desktop"]
        top = BELOW.get(name, 0)
        picture = Image.open(shots / f"{shot}.png").convert("RGB").crop((0, top, width, top + height))
        picture.quantize(COLOURS, dither=Image.Dither.NONE).save(KEPT / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
