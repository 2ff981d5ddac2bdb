"""A member of staff at the console, in a browser without scripts; the console reaches the server without a network."""

import io
import re
from typing import Any
from urllib.parse import urlsplit

import requests
from flask_openapi.openapi import OpenAPI
from requests.adapters import BaseAdapter
from urllib3.response import HTTPResponse

from authserver.cli import demo_cast
from authserver.console.parts import ConsoleParts
from authserver.storage import clients
from authserver.tokens.secret_hashes import SecretKind
from tests.conftest import MakeWorld
from tests.signing_in import BrowserOf, hidden
from tests.world import Answer, World

SECRET = "the console's own secret"


class Wire(BaseAdapter):
    """Carries the console's calls to the very app that it is part of; `down` is how often nobody answers yet."""

    def __init__(self, app: OpenAPI) -> None:
        super().__init__()
        self.app = app
        self.down = 0
        self.sent: list[tuple[str, str]] = []

    def send(self, request: requests.PreparedRequest, **_more: Any) -> requests.Response:  # type: ignore[override]
        assert request.url is not None
        parts = urlsplit(request.url)
        self.sent.append((str(request.method), parts.path))
        if self.down:
            self.down -= 1
            raise requests.ConnectionError
        answer = self.app.test_client().open(
            parts.path,
            method=request.method,
            query_string=parts.query,
            headers=list(request.headers.items()),
            data=request.body,
            base_url=f"{parts.scheme}://{request.headers['Host']}",
        )
        response = requests.Response()
        response.status_code = answer.status_code
        response.headers.update(dict(answer.headers))
        if answer.content_type.startswith("text/event-stream"):
            response.iter_content = lambda *_, **__: iter(answer.response)  # type: ignore[method-assign]
            response.close = answer.close  # type: ignore[method-assign]
            return response
        response.raw = HTTPResponse(io.BytesIO(answer.get_data()), preload_content=False)
        return response

    def close(self) -> None:
        """Hold nothing."""


def console_world(make: MakeWorld, **sections: Any) -> World:
    """Make a world that has a console."""
    world = make(console={"enabled": True, "client_secret": SECRET, **sections.pop("console", {})}, **sections)
    with world.app.app_context():
        demo_cast.seed(world.wired)
    with world.work() as work:
        work.lock()
        hashed = world.wired.hasher.hash(SecretKind.CLIENT_SECRET, SECRET)
        clients.add_secret(work.session, "console", hashed, now=world.clock.now())
    parts_of(world).api.http.mount("http://", Wire(world.app))
    return world


def parts_of(world: World) -> ConsoleParts:
    parts: ConsoleParts = world.app.extensions["console"]
    return parts


def wire(world: World) -> Wire:
    found = parts_of(world).api.http.get_adapter(world.wired.settings.issuer)
    assert isinstance(found, Wire)
    return found


class Staff(BrowserOf):
    """Somebody at the console."""

    def go(self, path: str) -> Answer:
        """Go somewhere, on through whatever sends one on."""
        answer = self.get(path)
        for _ in range(6):
            if answer.status_code != 303:
                return answer
            answer = self.get(self.local(answer.headers["Location"]))
        raise AssertionError(answer.headers["Location"])

    def local(self, location: str) -> str:
        path = location.removeprefix(self.issuer)
        assert path.startswith("/"), location
        return path

    def enter(self, who: str = "agent", path: str = "/console/") -> Answer:
        """Come to a page of the console, signing in on the way."""
        answer = self.log_in(self.go(path), who)
        for _ in range(4):
            if answer.status_code != 303:
                break
            answer = self.get(self.local(answer.headers["Location"]))
        return answer

    def send(self, path: str, shown: Answer | None = None, **form: Any) -> Answer:
        """Post a form of a page, by default with the proof of any."""
        shown = shown or self.go("/console/")
        return self.post(path, csrf=hidden(shown)["csrf"], **form)

    def held(self) -> str:
        """Return the cookie of the session at the console."""
        found = self.http.get_cookie("console", path="/console", domain=urlsplit(self.issuer).hostname or "")
        return "" if found is None else found.value


def text(answer: Answer) -> str:
    """Return a page's words."""
    words = re.sub(r"<(script|style|head).*?</\1>|<[^>]+>", " ", answer.text, flags=re.DOTALL)
    return re.sub(r"\s+", " ", words)
