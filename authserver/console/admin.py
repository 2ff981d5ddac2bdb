"""An admin's pages: the directory and the configuration."""

from flask import Blueprint

from authserver.console.configuration import add_configuration


def add_admin(blueprint: Blueprint) -> None:
    """Add the pages."""
    add_configuration(blueprint)
