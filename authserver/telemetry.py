"""Structured logs that carry a request id and no secret, and the metrics of one process."""

import logging
import re
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TextIO

import structlog
from flask import Flask, Response, g, request
from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from structlog.typing import EventDict, WrappedLogger

CONTENT_TYPE = CONTENT_TYPE_LATEST
"""The media type of what `render` returns."""
REDACTED = "[redacted]"

_HANDLER = "authserver"
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_SILENCED = {
    "authlib": logging.CRITICAL + 1,  # its debug lines hold whole tokens
    "flask_openapi": logging.WARNING,
    "werkzeug": logging.WARNING,
    "urllib3": logging.WARNING,  # its debug lines hold whole URLs
    "sqlalchemy": logging.WARNING,  # its info lines hold a statement's values
    "alembic": logging.WARNING,
}

# --- redaction ---------------------------------------------------------------------------------------------------

_SECRET_PARTS = re.compile(
    "token|secret|assertion|passw|pwd|passphrase|authorization|cookie|credential|bearer|jwt|apikey|privatekey"
    "|verifier|signature|dpop"
)
"""A name that holds one of these, its punctuation and case aside, names a secret."""
_SECRET_WORDS = frozenset({"auth", "code", "codes", "csrf", "handle", "handles", "nonce", "otp", "pin", "salt", "sid"})
"""A name that has one of these among its words names a secret."""
_PUBLIC_NAMES = re.compile(
    "(subject_|actor_|issued_|requested_)?token_type|client_assertion_type|(status|reason|error)_code"
    "|auth_(time|method)|(token|authorization)_endpoint|token_endpoint_auth_method|tokens_issued"
)
"""Names that look as if they named a secret, and do not."""
_IDENTIFIER_NAMES = frozenset({"digest", "jti", "kid", "request_id"})
"""Names whose values are long and random, and public."""
_WORDS = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])")

_PRIVATE_KEY = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL)
_USERINFO = re.compile(r"(?<=://)[^/\s@'\"]+(?=@)")
_SCHEME = re.compile(r"\b(Bearer|Basic|DPoP)\s+[^\s,'\"]+", re.IGNORECASE)
_JWT = re.compile(r"eyJ[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*){1,4}")  # JWS has three parts, JWE five
_NAME = re.compile(r"(?<![\w-])([A-Za-z_][\w-]*)['\"]?\s*[=:]\s*")
_VALUE = re.compile(r"""\[redacted]|b?"(?:[^"\\]|\\.)*"|b?'(?:[^'\\]|\\.)*'|[^\s&;,'")}\]]+""")
_LONG = re.compile(r"[A-Za-z0-9_-]{32,}")
_IDENTIFIER = re.compile(r"(?:[a-z]+[_-])?[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_CAPITALS = 0.25  # the share of capitals that letters drawn at random exceed and a name in CamelCase does not
_DEPTH = 12


def redact(value: object, name: str = "", depth: int = _DEPTH) -> Any:  # noqa: ANN401 - what JSON can hold
    """Return `value`, at every depth, without what its names or its form give away as secret."""
    if value is None or isinstance(value, bool):
        return value
    if _names_secret(name) or depth == 0:
        return REDACTED
    if isinstance(value, Mapping):
        return {_scrub(str(key), ""): redact(item, str(key), depth - 1) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return _redact_items(list(value), name, depth - 1)
    if isinstance(value, (int, float)):
        return value
    return _scrub(value if isinstance(value, str) else repr(value), name)


def _redact_items(items: list[object], name: str, depth: int) -> list[Any]:
    match items:
        case [str() as key, value] if _names_secret(key):  # a header, or a form's field, as a pair
            return [key, redact(value, key, depth)]
        case _:
            return [redact(item, name, depth) for item in items]


def _names_secret(name: str) -> bool:
    words = [word.lower() for word in _WORDS.findall(name)]
    if _PUBLIC_NAMES.fullmatch("_".join(words)):
        return False
    return not _SECRET_WORDS.isdisjoint(words) or _SECRET_PARTS.search("".join(words)) is not None


def _scrub(text: str, name: str) -> str:
    """Remove what its form gives away: keys, JWTs, credentials, values beside secret names, long random strings."""
    text = _PRIVATE_KEY.sub(REDACTED, text)
    text = _USERINFO.sub(REDACTED, text)
    text = _SCHEME.sub(rf"\1 {REDACTED}", text)
    text = _JWT.sub(REDACTED, text)
    text = _scrub_named(text)
    return text if name in _IDENTIFIER_NAMES else _LONG.sub(_scrub_long, text)


def _scrub_named(text: str) -> str:
    """Remove what stands after a secret's name: `code=…` in a query, `'password': …` in a printed mapping."""
    kept, at = [], 0
    for named in _NAME.finditer(text):
        if named.start() >= at and _names_secret(named[1]) and (value := _VALUE.match(text, named.end())):
            kept += [text[at : named.end()], REDACTED]
            at = value.end()
    return "".join([*kept, text[at:]])


def _scrub_long(match: re.Match[str]) -> str:
    run = match[0]
    if _IDENTIFIER.fullmatch(run):
        return run
    letters = [char for char in run if char.isalpha()]
    capitals = sum(char.isupper() for char in letters) / max(1, len(letters))
    if (letters and any(char.isdigit() for char in run)) or _CAPITALS < capitals < 1:
        return REDACTED
    return run


def _redact_event(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Redact a whole log line, its exception's text included (a structlog processor)."""
    del logger, method
    return {key: redact(value, key) for key, value in event.items()}


# --- logs --------------------------------------------------------------------------------------------------------


def configure(level: str = "info", stream: TextIO | None = None) -> None:
    """Send every log line of this process, redacted, as JSON to `stream` (standard error by default)."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.StackInfoRenderer(),
            structlog.processors.format_exc_info,
            _redact_event,
            structlog.processors.JSONRenderer(),
        ],
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.set_name(_HANDLER)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    for old in [old for old in root.handlers if old.get_name() == _HANDLER]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level.upper())
    for name, least in _SILENCED.items():
        logging.getLogger(name).setLevel(least)
    logging.raiseExceptions = False  # a line that cannot be formatted would be printed with its raw arguments
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )


def logger(name: str) -> structlog.stdlib.BoundLogger:
    """Return the logger of a module; call it as `log.info("what_happened", key=value)`."""
    bound: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return bound


def request_id() -> str | None:
    """Return the id of the request that is being answered, if there is one."""
    found: str | None = structlog.contextvars.get_contextvars().get("request_id")
    return found


# --- metrics -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Metrics:
    """The counters of one application object.

    Worker processes share nothing: each counts for itself, and a scrape through a shared port reads one of them.
    """

    registry: CollectorRegistry
    http_requests: Counter
    http_request_seconds: Histogram
    oauth_refusals: Counter
    tokens_issued: Counter
    impersonations: Counter
    audit_events: Counter


def new_metrics() -> Metrics:
    """Make counters with a registry of their own, so that several applications can live in one process."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)

    def counter(name: str, words: str, *labels: str) -> Counter:
        return Counter(name, words, labels, registry=registry)

    return Metrics(
        registry=registry,
        http_requests=counter("http_requests_total", "Requests answered.", "endpoint", "method", "status"),
        http_request_seconds=Histogram(
            "http_request_seconds", "Seconds until a response began.", ("endpoint",), registry=registry
        ),
        oauth_refusals=counter("oauth_refusals_total", "Requests refused.", "error", "reason"),
        tokens_issued=counter("tokens_issued_total", "Tokens issued, by grant or way of exchange.", "way"),
        impersonations=counter("impersonations_total", "Changes of impersonations.", "event"),
        audit_events=counter("audit_events_total", "Audit events appended."),
    )


def render(metrics: Metrics) -> bytes:
    """Return the metrics of this process in the Prometheus text format."""
    return generate_latest(metrics.registry)


# --- requests ----------------------------------------------------------------------------------------------------


def install(app: Flask, *, new_request_id: Callable[[], str], metrics: Metrics) -> None:
    """Give every request an id, one log line without its query string, and its place in the metrics.

    Install it before any other hook: what refuses a request early is then logged too.
    """
    log = logger(__name__)

    def begin() -> None:
        inbound = request.headers.get("X-Request-Id", "")
        g.telemetry_id = inbound if _REQUEST_ID.fullmatch(inbound) else new_request_id()
        g.telemetry_began = time.perf_counter()
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=g.telemetry_id)

    def finish(response: Response) -> Response:
        seconds = time.perf_counter() - g.telemetry_began
        endpoint = request.endpoint or "unmatched"
        method = request.method if request.method in _METHODS else "other"
        status = response.status_code
        response.headers["X-Request-Id"] = g.telemetry_id
        metrics.http_requests.labels(endpoint=endpoint, method=method, status=str(status)).inc()
        metrics.http_request_seconds.labels(endpoint=endpoint).observe(seconds)
        log.info("request", method=method, endpoint=endpoint, status=status, duration_ms=round(seconds * 1000, 1))
        return response

    def forget(error: BaseException | None) -> None:
        del error
        structlog.contextvars.clear_contextvars()

    app.before_request(begin)
    app.after_request(finish)
    app.teardown_request(forget)
