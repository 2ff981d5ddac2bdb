"""The configuration through the API: apps, trusted issuers, keys, the policy, health."""

from flask_openapi.blueprint import APIBlueprint

from authserver.api.apps import add_apps
from authserver.api.health import add_health
from authserver.api.issuers import add_issuers
from authserver.api.keys import add_keys
from authserver.api.policy import add_policy


def add_configuration(blueprint: APIBlueprint) -> None:
    """Add the operations."""
    add_apps(blueprint)
    add_issuers(blueprint)
    add_keys(blueprint)
    add_policy(blueprint)
    add_health(blueprint)
