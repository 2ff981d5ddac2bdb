"""Tables and their atomic verbs: the only place that speaks to the database."""

from sqlalchemy.orm import Session as DbSession

__all__ = ["DbSession"]
