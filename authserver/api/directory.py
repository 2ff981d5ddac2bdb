"""`/api/v1/users`, `/clients` and `/resources`: what is registered, for admins to read and to change."""

from flask_openapi.blueprint import APIBlueprint

from authserver.api.clients import add_clients
from authserver.api.resources import add_resources
from authserver.api.users import add_users


def add_directory(blueprint: APIBlueprint) -> None:
    """Add the operations."""
    add_users(blueprint)
    add_clients(blueprint)
    add_resources(blueprint)
