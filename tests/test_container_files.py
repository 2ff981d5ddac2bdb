"""The container files keep what they promise; no container engine is needed to read them."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parent.parent
STACK: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
NODES = ("migrate", "node-1", "node-2")


def instructions(path: str, name: str) -> list[str]:
    text = (ROOT / path).read_text().replace("\\\n", " ")
    return [line.removeprefix(name).strip() for line in text.splitlines() if line.startswith(f"{name} ")]


@pytest.mark.parametrize("path", ["Dockerfile", "config/compose/idp/Dockerfile"])
def test_an_image_runs_as_nobody_special(path: str) -> None:
    user = instructions(path, "USER")[-1]
    assert re.fullmatch(r"[1-9]\d{3,}(:[1-9]\d{3,})?", user)


def test_the_image_installs_by_hash_and_says_whether_it_is_healthy() -> None:
    installs = " ".join(instructions("Dockerfile", "RUN"))
    assert "--require-hashes -r requirements/base.txt" in installs
    assert "/healthz" in instructions("Dockerfile", "HEALTHCHECK")[0]


def test_every_base_image_is_pinned_to_a_version() -> None:
    bases = [
        *instructions("Dockerfile", "ARG"),
        *instructions("config/compose/idp/Dockerfile", "FROM"),
        *(service["image"] for service in STACK["services"].values()),
    ]
    for base in bases:
        assert re.search(r":v?\d+\.\d+", base), base


def test_the_stack_has_two_nodes_and_all_they_need() -> None:
    assert set(STACK["services"]) == {*NODES, "proxy", "database", "mail", "idp"}
    assert STACK["services"]["migrate"]["command"] == ["db", "upgrade"]
    for node in NODES[1:]:
        assert STACK["services"][node]["depends_on"] == {"migrate": {"condition": "service_completed_successfully"}}


def test_the_nodes_share_one_state_and_run_without_privileges() -> None:
    for node in NODES:
        service = STACK["services"][node]
        assert service["volumes"] == ["state:/var/lib/authserver"]
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]


def test_no_secret_stands_in_the_stack() -> None:
    for service in STACK["services"].values():
        for name, value in service.get("environment", {}).items():
            if re.search("PASSWORD|PASSPHRASE|SECRET|TOKEN", name):
                assert re.fullmatch(r"\$\{\w+:\?[^}]+\}", value), name


def test_only_loopback_addresses_of_the_host_are_published() -> None:
    published = [port for service in STACK["services"].values() for port in service.get("ports", [])]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_what_the_build_needs_reaches_the_builder() -> None:
    let_in = (ROOT / ".dockerignore").read_text().splitlines()
    for source in ("authserver", "config", "requirements", "pyproject.toml", "README.md"):
        assert f"!{source}" in let_in
