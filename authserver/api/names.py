"""The names that people read in the place of identifiers, as they are registered now."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from authserver.api.schemas_names import NamedResourceOut, NamedScopeOut
from authserver.protocol.names import is_user_id
from authserver.protocol.scopes import Scope
from authserver.storage import DbSession, people, resources


def of_app(name: str) -> str:
    """Return an app's name for people: `demo-bank` is `Demo bank`."""
    words = " ".join(name.replace("-", " ").replace("_", " ").split())
    return f"{words[:1].upper()}{words[1:]}" or name


def of_people(session: DbSession, events: Sequence[Mapping[str, Any]], *, everybody: bool) -> dict[str, str]:
    """Return what the people are called now who are named by members of events, by id.

    Unless the reader may know `everybody`, customers are named by events of impersonations alone.
    """
    ids = _people(events)
    of_impersonations = _people(event for event in events if event["impersonation_id"] is not None)
    shown = ids if everybody else of_impersonations | people.staff(session, ids - of_impersonations)
    return {person: name for person, name in people.named(session, shown).items() if name}


def _people(events: Iterable[Mapping[str, Any]]) -> set[str]:
    payloads = [event["payload"] for event in events if isinstance(event.get("payload"), Mapping)]
    return {each for payload in payloads for each in payload.values() if isinstance(each, str) and is_user_id(each)}


@dataclass(frozen=True, slots=True)
class Registered:
    """What is registered of some resource servers: their names, their scopes, and these in words."""

    names: Mapping[str, str]
    scopes: Mapping[str, Scope]
    descriptions: Mapping[str, str]

    @classmethod
    def of(cls, session: DbSession, uris: Collection[str]) -> Self:
        """Read them."""
        if not uris:
            return cls({}, {}, {})
        names = {uri: row.name for uri, row in resources.find(session, uris).items()}
        return cls(names, resources.scopes_of(session, uris), resources.descriptions(session))

    def named(self, uris: Sequence[str], scopes: Collection[str]) -> list[NamedResourceOut]:
        """Name resource servers with those of `scopes` that are theirs; who is unknown is called by the URI."""
        return [
            NamedResourceOut(
                uri=uri,
                name=self.names.get(uri) or uri,
                scopes=[
                    NamedScopeOut(name=name, description=self.descriptions.get(name, ""))
                    for name, scope in self.scopes.items()
                    if scope.resource == uri and name in scopes
                ],
            )
            for uri in uris
        ]
