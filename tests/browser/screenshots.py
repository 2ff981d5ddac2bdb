"""Pictures of every page and state, at desk and phone width, in light and dark, and an index of them.

python -m tests.browser.screenshots [FOLDER [NAME…]]
"""

import html
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser

from tests.browser.chromium import HEIGHT, SCHEMES, WIDTHS, found, launched, opened
from tests.browser.visits import VISITS
from tests.conftest import Demo, running_demo


def take(browser: Browser, demo: Demo, name: str, folder: Path) -> list[Path]:
    """Take a visit's pictures."""
    taken = []
    with opened(browser) as page:
        VISITS[name](page, demo)
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme)
            for device, width in WIDTHS.items():
                page.set_viewport_size({"width": width, "height": HEIGHT})
                taken.append(folder / f"{name}-{device}-{scheme}.png")
                page.screenshot(path=taken[-1], full_page=True)
    return taken


def index(pictures: dict[str, list[Path]]) -> str:
    """Return a page with all pictures."""
    parts = ['<!doctype html><html lang="en"><meta charset="utf-8"><title>Pages</title>']
    for name, taken in pictures.items():
        parts.append(f"<h2>{html.escape(name)}</h2>")
        parts += [f'<img src="{path.name}" alt="{path.stem}" height="420" loading="lazy"> ' for path in taken]
    return "\n".join(parts)


def main(folder: Path, names: list[str]) -> None:
    if found() is None:
        sys.exit("no Chromium on this machine: install the package chromium")
    if unknown := sorted(set(names) - VISITS.keys()):
        sys.exit(f"no page {', '.join(unknown)}; there are: {', '.join(VISITS)}")
    folder.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as data,
        running_demo(Path(data), "--host", "localhost") as demo,
        launched() as browser,
    ):
        pictures = {name: take(browser, demo, name, folder) for name in names or VISITS}
    (folder / "index.html").write_text(index(pictures), encoding="utf-8")
    sys.stdout.write(f"{sum(map(len, pictures.values()))} pictures: {folder / 'index.html'}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "screenshots"), sys.argv[2:])
