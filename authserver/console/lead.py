"""A lead's pages: what waits for a decision, and what runs."""

from flask import Blueprint


def add_lead(blueprint: Blueprint) -> None:
    """Add the pages."""
    del blueprint
