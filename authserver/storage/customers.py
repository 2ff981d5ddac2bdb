"""Looking customers up by what somebody on the phone says of themselves."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Select, case, func, or_, select
from sqlalchemy.orm import Session as DbSession

from authserver.protocol.names import Population
from authserver.storage.tables import User


def named_exactly(session: DbSession, text: str) -> list[User]:
    """Return the enabled customers whose id, user name or e-mail address this is."""
    lowered = text.lower()
    exact = or_(User.id == text, func.lower(User.username) == lowered, func.lower(User.email) == lowered)
    return list(session.scalars(_customers().where(exact).order_by(User.id).limit(2)).all())


def like(session: DbSession, words: Sequence[str], *, offset: int, limit: int) -> list[User]:
    """Return enabled customers of whom every word is part of the name, or begins user name, e-mail address or id.

    Those whose name, or a part of it, begins so come first.
    """
    query = _customers()
    for word in words:
        query = query.where(
            or_(
                *(User.name.icontains(form, autoescape=True) for form in _forms(word)),
                *(column.istartswith(word, autoescape=True) for column in (User.username, User.email)),
                User.id.startswith(word, autoescape=True),
            )
        )
    query = query.order_by(_rank(words[0]), User.name, User.id).offset(offset).limit(limit)
    return list(session.scalars(query).all())


def _customers() -> Select[User]:
    return select(User).where(User.population == Population.CUSTOMERS, User.enabled)


def _rank(word: str) -> ColumnElement[int]:
    begins = or_(*(User.name.istartswith(form, autoescape=True) for form in _forms(word)))
    within = or_(*(User.name.icontains(f" {form}", autoescape=True) for form in _forms(word)))
    return case((begins, 0), (within, 1), else_=2)


def _forms(word: str) -> set[str]:
    """Return a word as it may be written: SQLite knows of no letters but those of ASCII that they have two cases."""
    return {word} if word.isascii() else {word, word.lower(), word.upper(), word.capitalize()}
