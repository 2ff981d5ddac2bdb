"""The base that every table is built on."""

from typing import Any

from sqlalchemy import JSON, BigInteger, MetaData
from sqlalchemy.orm import DeclarativeBase, registry

_NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """What every table is built on."""

    registry = registry(
        metadata=MetaData(naming_convention=_NAMES),
        type_annotation_map={int: BigInteger, list[str]: JSON, dict[str, Any]: JSON},
    )
