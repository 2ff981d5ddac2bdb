"""An auditor's pages: the trail, its proof, and what it says in pictures."""

from flask import Blueprint


def add_evidence(blueprint: Blueprint) -> None:
    """Add the pages."""
    del blueprint
