"""Stylesheet, scripts and brand mark: read once, packed once, named by their content and then kept for ever."""

import gzip
import hashlib
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from pathlib import Path

from flask import Blueprint, Response, abort, request, url_for

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_KEPT = "public, max-age=31536000, immutable"
_ASKED_AGAIN = "no-cache"
_FOLDER = Path(__file__).with_name("static")


@dataclass(frozen=True, slots=True)
class Asset:
    """A file as it is sent; `version` is of its content, so that every node gives it the same name."""

    content: bytes
    packed: bytes
    content_type: str
    version: str


def read_assets(folder: Path) -> Mapping[str, Asset]:
    """Return the folder's assets by name; what has another ending is none."""
    found = (path for path in sorted(folder.iterdir()) if path.suffix in _TYPES)
    return {path.name: _asset(path) for path in found}


def _asset(path: Path) -> Asset:
    content = path.read_bytes()
    version = hashlib.sha256(content).hexdigest()[:16]
    return Asset(content, gzip.compress(content, 9, mtime=0), _TYPES[path.suffix], version)


def add_assets(blueprint: Blueprint, origins: Container[str | None] = ()) -> None:
    """Serve the assets, and give templates `asset(NAME)`, the address of one as it is now.

    Pages of `origins` may read `handoff.js`, too.
    """
    assets = read_assets(_FOLDER)

    @blueprint.get("/static/<filename>")
    def static(filename: str) -> Response:
        found = assets.get(filename)
        return abort(404) if found is None else _sent(found)

    @blueprint.get("/appetize/handoff.js")
    def handoff_module() -> Response:
        """Serve the module for pages of other origins: to those that an app names (Fetch, CORS)."""
        response = _sent(assets["handoff.js"])
        origin = request.headers.get("Origin")
        response.headers.add("Vary", "Origin")
        if origin in origins:
            response.headers["Access-Control-Allow-Origin"] = str(origin)
            response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
        return response

    @blueprint.app_template_global("asset")
    def asset(name: str) -> str:
        return url_for("pages.static", filename=name, v=assets[name].version)


def serve_folder(blueprint: Blueprint, folder: Path) -> Callable[[str], str]:
    """Serve another folder's assets at a blueprint's `/static/<name>`; return what gives their addresses."""
    assets = read_assets(folder)

    @blueprint.get("/static/<filename>")
    def static(filename: str) -> Response:
        found = assets.get(filename)
        return abort(404) if found is None else _sent(found)

    def address(name: str) -> str:
        return url_for(f"{blueprint.name}.static", filename=name, v=assets[name].version)

    return address


def _sent(asset: Asset) -> Response:
    """Answer with an asset: kept for ever under its version, asked for again under any other (RFC 9111 §5.2)."""
    packed = request.accept_encodings["gzip"] > 0
    response = Response(asset.packed if packed else asset.content, content_type=asset.content_type)
    if packed:
        response.headers["Content-Encoding"] = "gzip"
    response.headers["Vary"] = "Accept-Encoding"
    response.headers["Cache-Control"] = _KEPT if request.args.get("v") == asset.version else _ASKED_AGAIN
    response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    response.set_etag(f"{asset.version}-gzip" if packed else asset.version)
    response.make_conditional(request)
    return response
