# ruff: noqa: INP001 - a script beside the package
"""Measure what an agent on the telephone waits for, in a real browser, on the demo and its device stand-in.

`python benchmarks/handoff.py`: see benchmarks/README.md.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
REASON = {"reason": "a wrong balance", "reason_code": "customer_initiated_support", "ticket_id": "BENCH-1"}
START_SECONDS = 60
TIMEOUT_MS = 20_000
YES_TO_APP = "the customer's yes → app signed in"
END_TO_GONE = "the customer ends it → picture gone"
REOPENED = "reopened in the grace time → app signed in"
_SIGNED_IN = "() => document.querySelector('.owner h2') && performance.timeOrigin + performance.now()"
_GONE = "() => !document.querySelector('#appetize-device') && performance.timeOrigin + performance.now()"
_CLICK = "(button) => { button.click(); return performance.timeOrigin + performance.now(); }"


@dataclass(frozen=True)
class Demo:
    """A demo that runs, and the browsers of its agent and its customer, both signed in."""

    credentials: dict[str, Any]
    agent: Page
    customer: Page

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Call the API as the agent."""
        token = self.credentials["users"]["agent"]["access_token"]
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
        asked = urllib.request.Request(self.credentials["issuer"] + path, json.dumps(body).encode(), headers)  # noqa: S310
        with urllib.request.urlopen(asked, timeout=10) as answer:  # noqa: S310 - our own server
            found: dict[str, Any] = json.load(answer)
        return found

    def ask(self) -> tuple[str, str]:
        """Ask the customer for consent; return the impersonation and the number that the agent reads out."""
        users = self.credentials["users"]
        form = {
            **self.credentials["clients"]["backend"],
            "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
            "subject_token": users["customer-ask"]["id"],
            "subject_token_type": "urn:authserver:params:oauth:token-type:user-id",
            "actor_token": users["agent"]["access_token"],
            "actor_token_type": "urn:ietf:params:oauth:token-type:access_token",
            **REASON,
        }
        try:
            urllib.request.urlopen(f"{self.credentials['issuer']}/oauth/token", urlencode(form).encode())  # noqa: S310
        except urllib.error.HTTPError as refused:
            found = json.load(refused)
            return str(found["impersonation_id"]), str(found["consent_number"])
        raise SystemExit("the customer was not asked")

    def open(self, impersonation: str) -> None:
        """Hand the impersonation off, and open the page in the agent's browser."""
        created = self.post("/appetize/handoffs", {"impersonation": impersonation, "app": "demo-bank"})
        self.agent.goto(created["embed_url"])
        self.agent.wait_for_url("http://localhost:*/appetize/embed/*")
        self.agent.locator("#embed").wait_for()

    def moment(self, page: Page, script: str, *, device: bool) -> float:
        """Wait until a script tells a moment, in the page or on its device; return it in milliseconds."""
        if device:
            page.locator("#appetize-device").wait_for(timeout=TIMEOUT_MS)
            frame = page.locator("#appetize-device").element_handle().content_frame()
            return float(frame.wait_for_function(script, timeout=TIMEOUT_MS).json_value())
        return float(page.wait_for_function(script, timeout=TIMEOUT_MS).json_value())


@dataclass
class Figures:
    """Seconds by what was measured."""

    seconds: dict[str, list[float]] = field(default_factory=dict)

    def add(self, name: str, began: float, ended: float) -> None:
        """Add a measurement of two moments in milliseconds."""
        self.seconds.setdefault(name, []).append((ended - began) / 1000)

    def lines(self) -> Iterator[str]:
        """Yield a line for each row."""
        for name, found in self.seconds.items():
            slowest = max(found)
            ninth = statistics.quantiles(found, n=10, method="inclusive")[-1] if len(found) > 1 else slowest
            yield f"  {name:<46} {statistics.median(found):6.2f} {ninth:6.2f} {slowest:6.2f}   {len(found)}"


def once(demo: Demo, figures: Figures) -> None:
    """Measure one journey: consent, the app signed in, the device closed and opened again, the customer's end."""
    impersonation, number = demo.ask()
    demo.customer.goto(f"{demo.credentials['issuer']}/account/requests/{impersonation}")
    demo.open(impersonation)
    demo.agent.wait_for_timeout(2500)  # a device that starts while consent is pending has started
    yes = demo.customer.get_by_role("button", name=number)
    began = float(yes.evaluate(_CLICK))
    figures.add(YES_TO_APP, began, demo.moment(demo.agent, _SIGNED_IN, device=True))
    demo.agent.goto("about:blank")
    began = float(demo.agent.evaluate("performance.timeOrigin + performance.now()"))
    demo.open(impersonation)
    figures.add(REOPENED, began, demo.moment(demo.agent, _SIGNED_IN, device=True))
    demo.customer.goto(f"{demo.credentials['issuer']}/account")
    end = demo.customer.get_by_role("button", name="End it now").first
    began = float(end.evaluate(_CLICK))
    figures.add(END_TO_GONE, began, demo.moment(demo.agent, _GONE, device=False))


@contextmanager
def demo(how: str) -> Iterator[dict[str, Any]]:
    """Run a demo whose app gets its value so; give its credentials."""
    with tempfile.TemporaryDirectory() as folder:
        settings, file = Path(folder, "app.toml"), Path(folder, "credentials.json")
        settings.write_text(f'[appetize.apps.demo-bank]\nhow = "{how}"\n', encoding="utf-8")
        command = [sys.executable, "-m", "authserver.cli", "demo", "--port", "0", "--data", folder]
        environ = {**os.environ, "AUTHSERVER_CONFIG": str(settings)}
        with (
            Path(folder, "output.txt").open("w", encoding="utf-8") as output,
            subprocess.Popen(command, stdout=output, stderr=output, env=environ) as process,  # noqa: S603 - our own
        ):
            try:
                until = time.monotonic() + START_SECONDS
                while not file.exists():
                    if process.poll() is not None or time.monotonic() > until:
                        sys.exit(Path(folder, "output.txt").read_text(encoding="utf-8"))
                    time.sleep(0.05)
                yield json.loads(file.read_text(encoding="utf-8"))
            finally:
                process.terminate()


def signed_in(context: BrowserContext, credentials: dict[str, Any], who: str) -> Page:
    """Return a page of a person who is signed in."""
    page, person = context.new_page(), credentials["users"][who]
    page.goto(f"{credentials['issuer']}/account")
    page.get_by_label("Email or user name").fill(person["username"])
    page.get_by_label("Password").fill(person["password"])
    page.get_by_role("button", name="Continue").click()
    page.wait_for_url("**/account")
    return page


def measure(browser: Browser, how: str, runs: int, say: Callable[[str], object]) -> Figures:
    """Measure `runs` journeys on a demo of their own."""
    figures = Figures()
    with demo(how) as credentials:
        pages = [signed_in(browser.new_context(), credentials, who) for who in ("agent", "customer-ask")]
        running = Demo(credentials, *pages)
        for number in range(runs + 1):
            once(running, figures if number else Figures())  # the first one warms up
            say(f"\r{how}: {number} of {runs} ")
        for page in pages:
            page.context.close()
    say("\r" + " " * 40 + "\r")
    return figures


def main() -> None:
    """Print medians, ninth deciles and maxima, in seconds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--how", nargs="+", default=["deep_link", "launch_params"])
    parser.add_argument("--json", type=Path, help="a file for the figures")
    options = parser.parse_args()
    kept: dict[str, dict[str, list[float]]] = {}
    with sync_playwright() as playwright:
        path = next((found for name in BROWSERS if (found := shutil.which(name))), None)
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        for how in options.how:
            figures = measure(browser, how, options.runs, sys.stderr.write)
            kept[how] = figures.seconds
            sys.stdout.write(f"{how:<48} median   p90    max   runs\n" + "\n".join(figures.lines()) + "\n")
        browser.close()
    if options.json:
        options.json.write_text(json.dumps(kept, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
