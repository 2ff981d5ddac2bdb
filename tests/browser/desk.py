"""A page that embeds the device stand-in, as an agent's page does, and hears everything that it says."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import requests
from playwright.sync_api import Browser, Frame, FrameLocator, Page

from tests.browser.chromium import opened

BUILD = "demo-bank-standin"
TIMEOUT = 10
_WATCH = """async ([selector, config]) => {
  const plain = (value) => JSON.parse(JSON.stringify(value ?? null));
  const told = ["queue", "queueEnd", "sessionRequested", "sessionEnded", "app", "deviceInfo", "error"];
  const within = ["action", "interaction", "appLaunch", "firstFrameReceived", "inactivityWarning", "network", "log",
    "orientationChanged", "error", "end", "openUrlCompleted"];
  window.seen = [];
  const client = await appetize.getClient(selector, config ?? undefined);
  window.client = client;
  for (const name of told) client.on(name, (value) => seen.push([name, plain(value)]));
  client.on("sessionError", (error) => seen.push(["sessionError", error instanceof Error && error.message]));
  client.on("session", (session) => {
    seen.push(["session", null]);
    window.session = session;
    for (const name of within) session.on(name, (value) => seen.push([`session.${name}`, plain(value)]));
  });
}"""


@dataclass(frozen=True)
class Desk:
    """A page that embeds a device, as an agent's page does."""

    page: Page
    phone: FrameLocator
    standin: str

    def watch(self, selector: str = "#device", **config: Any) -> None:
        """Make a client that listens to everything; without a configuration where none is given."""
        self.page.evaluate(_WATCH, [selector, config or None])

    def start(self, **config: Any) -> None:
        """Start a session, and fail where the device says nothing to it."""
        silent = "new Promise((_, reject) => setTimeout(reject, 15000, new Error('the device is silent')))"
        started = f"(config) => Promise.race([client.startSession(config).then(() => undefined), {silent}])"
        self.page.evaluate(started, config)

    def sign_in(self, value: str, **config: Any) -> None:
        self.watch(buildId=BUILD, params={"impersonatedUserToken": value}, **config)
        self.start()

    def seen(self) -> list[tuple[str, Any]]:
        return [(name, value) for name, value in self.page.evaluate("seen")]

    def names(self) -> list[str]:
        return [name for name, _ in self.seen()]

    def wait_for(self, name: str, seconds: float = TIMEOUT) -> Any:
        """Wait for an event; return what came with it."""
        happened = "(name) => window.seen.find(([each]) => each === name)"
        return self.page.wait_for_function(happened, arg=name, timeout=seconds * 1000).json_value()[1]

    @property
    def frame(self) -> Frame:
        """The phone's page, from within."""
        found = self.page.frame(url=f"{self.standin}/embed/*")
        assert found is not None
        return found

    def keep_titles(self) -> None:
        """Keep what the app shows, even what it shows for a moment only."""
        self.frame.evaluate("""() => {
          const titles = window.titles = [];
          const keep = () => titles.push(...[...document.querySelectorAll("#app h2")].map((each) => each.textContent));
          new MutationObserver(keep).observe(document.querySelector("#app"), { childList: true });
        }""")

    def titles(self) -> list[str]:
        found: list[str] = self.frame.evaluate("titles")
        return found

    def order(self, **order: Any) -> None:
        assert requests.post(f"{self.standin}/control", json=order, timeout=TIMEOUT).status_code == 204


@contextmanager
def served(body: str, host: str = "127.0.0.1", content_type: str = "text/html") -> Iterator[str]:
    """Serve one answer at an origin of its own; Chromium lets no page that a route made embed this machine's."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", content_type)
            self.end_headers()
            self.wfile.write(body.encode())

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *_args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer((host, 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield f"http://{host}:{server.server_port}/"
        server.shutdown()
        thread.join()


@contextmanager
def embedding(
    browser: Browser, standin: str, markup: str = "<iframe title=Device id=device></iframe>"
) -> Iterator[Desk]:
    style = "<style>iframe { width: 22rem; height: 46rem; border: 0 }</style>"
    script = f'<script src="{standin}/embed.js"></script>'
    body = f'<!doctype html><html lang="en"><title>Desk</title>{style}{markup.format(standin=standin)}{script}'
    with served(body) as address, opened(browser) as page:
        page.goto(address)
        yield Desk(page, page.frame_locator("#device"), standin)
