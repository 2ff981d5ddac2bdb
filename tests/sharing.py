"""What is the same in every world of a process and costs most of making one: compiled statements and compiled routes.

Nothing of a world is shared: a statement is kept without its values, and a route is built from its path alone.
"""

from collections.abc import Callable
from typing import Any

from sqlalchemy import Dialect, Engine
from werkzeug.routing import Rule

Builder = Callable[..., tuple[str, str]]

_statements: dict[str, tuple[Dialect, Any]] = {}
_builders: dict[tuple[Any, ...], Builder] = {}
_compile_builder = Rule._compile_builder


def keep_statements(engine: Engine) -> None:
    """Keep what this engine compiles, and its dialect, which has met its database."""
    _statements[engine.dialect.driver] = engine.dialect, engine._compiled_cache


def share_statements(engine: Engine) -> None:
    """Let an engine use what was kept of another one for the same kind of database."""
    if engine.dialect.driver in _statements:
        engine.dialect, engine._compiled_cache = _statements[engine.dialect.driver]


def share_routes() -> None:
    """Compile once what builds the URLs of a path, however many apps have it."""
    Rule._compile_builder = _builder  # type: ignore[method-assign, assignment]


def _builder(rule: Rule, append_unknown: bool = True) -> Builder:  # noqa: FBT001, FBT002 - as it is called
    if rule.defaults:
        return _compile_builder(rule, append_unknown)
    key = (rule.rule, tuple(rule._trace), append_unknown)
    if key not in _builders:
        _builders[key] = _compile_builder(rule, append_unknown)
    return _builders[key]
