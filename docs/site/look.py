"""Open the built site in a headless Chromium, wide and narrow, light and dark: ``python docs/site/look.py out/site``.

Fails on an error in the console, a request to outside, or a page wider than the screen.
"""

import shutil
import sys
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

PAGES = (
    "docs/site/index.html",
    "docs/start/tutorial.html",
    "docs/site/api.html",
    "docs/site/api/scalefit.Fit-class.html",
    "docs/site/commands.html",
    "docs/laws/log.html",
    "docs/simulations/seeds.html",
    "notebooks/01_first_fit.html",
    "search.html?q=jackknife",
)
SCREENS = ((1280, "light"), (1280, "dark"), (390, "light"), (390, "dark"))
WIDER = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


def complaints(page: Page, address: str) -> list[str]:
    """Return what is wrong with one page on one screen."""
    heard: list[str] = []
    page.on("console", lambda m: heard.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda error: heard.append(str(error)))
    page.on(
        "request",
        lambda r: (
            None if r.url.startswith(("file:", "data:")) else heard.append(f"asks for {r.url}")
        ),
    )
    page.goto(address)
    page.wait_for_timeout(200)
    wider = page.evaluate(WIDER)
    return [*heard, *([f"{wider} pixels wider than the screen"] if wider > 0 else [])]


def main(site: Path) -> None:
    """Look at every page on every screen."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("no Chromium here: apt-get install chromium")
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        wrong = [
            f"{name} at {width} {scheme}: {complaint}"
            for width, scheme in SCREENS
            for name in PAGES
            for complaint in complaints(
                browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme),
                f"{site.resolve().as_uri()}/{name}",
            )
        ]
        browser.close()
    if wrong:
        sys.exit("\n".join(wrong))
    print(f"{len(PAGES)} pages looked at on {len(SCREENS)} screens")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
