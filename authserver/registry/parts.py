"""The register whole; `app/` puts it together."""

from dataclasses import dataclass

from authserver.registry.clients import Clients
from authserver.registry.resources import Resources
from authserver.registry.user_import import UserImport
from authserver.registry.users import Users


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry:
    """What changes people, clients and resource servers."""

    users: Users
    user_import: UserImport
    clients: Clients
    resources: Resources
