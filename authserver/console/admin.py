"""An admin's pages: the directory and the configuration."""

from flask import Blueprint


def add_admin(blueprint: Blueprint) -> None:
    """Add the pages."""
    del blueprint
