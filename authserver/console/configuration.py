"""An admin's pages of the configuration: issuers, apps, keys, policy, health."""

from flask import Blueprint

from authserver.console.apps import add_apps
from authserver.console.health import add_health
from authserver.console.issuers import add_issuers
from authserver.console.keys import add_keys
from authserver.console.policy import add_policy


def add_configuration(blueprint: Blueprint) -> None:
    """Add the pages."""
    add_issuers(blueprint)
    add_apps(blueprint)
    add_keys(blueprint)
    add_policy(blueprint)
    add_health(blueprint)
