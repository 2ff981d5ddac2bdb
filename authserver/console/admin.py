"""An admin's pages: the directory and the configuration."""

from flask import Blueprint

from authserver.console.clients import add_clients
from authserver.console.configuration import add_configuration
from authserver.console.resources import add_resources
from authserver.console.user_import import add_user_import
from authserver.console.users import add_users


def add_admin(blueprint: Blueprint) -> None:
    """Add the pages."""
    add_users(blueprint)
    add_user_import(blueprint)
    add_clients(blueprint)
    add_resources(blueprint)
    add_configuration(blueprint)
