"""Reporting performed actions: in the background, in batches, again until they are taken, and bounded."""

import logging
import subprocess
import sys
import threading
import time
from typing import Any

import pytest
import requests

from authserver.resource import VerifiedToken
from authserver.resource.reports import Action, Outcome, Reports
from tests.resource.issuer import ISSUER, NOW, Paper, acting, claims

URL = f"{ISSUER}/api/v1/impersonations/imp_1/actions"


def action(name: str = "one") -> Action:
    return Action.of(name, "view.accounts", NOW, {})


class Sink:
    """Takes batches, after as many failures as it is told."""

    def __init__(self, failures: int = 0, outcome: Outcome = Outcome.TAKEN) -> None:
        self.batches: list[tuple[str, list[str]]] = []
        self._failures, self._outcome = failures, outcome
        self.gate = threading.Event()
        self.gate.set()

    def __call__(self, impersonation_id: str, batch: list[dict[str, Any]]) -> Outcome:
        self.gate.wait(10)
        self.batches.append((impersonation_id, [entry["id"] for entry in batch]))
        if self._failures:
            self._failures -= 1
            return Outcome.AGAIN
        return self._outcome


def test_actions_go_in_batches_in_their_order_one_impersonation_at_a_time() -> None:
    sink = Sink()
    sink.gate.clear()
    reports = Reports(sink)
    for number in range(90):
        reports.add("imp_1" if number < 85 else "imp_2", action(str(number)))
    sink.gate.set()
    assert reports.flush(10)
    reports.close()
    names = [str(number) for number in range(90)]
    assert sink.batches == [
        ("imp_1", names[:40]),
        ("imp_1", names[40:80]),
        ("imp_1", names[80:85]),
        ("imp_2", names[85:]),
    ]


def test_batch_that_failed_is_sent_again_under_the_same_ids() -> None:
    sink = Sink(failures=3)
    reports = Reports(sink, first_wait=0.001)
    reports.add("imp_1", action())
    assert reports.flush(10)
    reports.close()
    assert sink.batches == [("imp_1", ["one"])] * 4
    assert reports.dropped == 0


def test_batch_that_is_refused_is_dropped_counted_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    reports = Reports(Sink(outcome=Outcome.REFUSED))
    reports.add("imp_1", action())
    assert reports.flush(10)
    reports.close()
    assert reports.dropped == 1
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


def test_poisoned_action_is_dropped_alone_and_named(caplog: pytest.LogCaptureFixture) -> None:
    taken: list[str] = []

    def send(_: str, batch: list[dict[str, Any]]) -> Outcome:
        names = [entry["id"] for entry in batch]
        if {"7", "61"} & set(names):
            return Outcome.REFUSED
        taken.extend(names)
        return Outcome.TAKEN

    told: list[tuple[str, int]] = []
    reports = Reports(send, on_drop=lambda why, count: told.append((why, count)))
    for number in range(90):
        reports.add("imp_1", action(str(number)))
    assert reports.flush(10)
    reports.close()
    assert taken == [str(number) for number in range(90) if number not in {7, 61}]
    assert (reports.drops, told) == ({"refused": 2}, [("refused", 1)] * 2)
    assert "1 of imp_1, from 7 view.accounts on" in caplog.text


def test_batch_that_is_stuck_holds_up_no_other_impersonation() -> None:
    sink, stuck = Sink(), threading.Event()

    def send(impersonation_id: str, batch: list[dict[str, Any]]) -> Outcome:
        if impersonation_id == "imp_1" and not stuck.is_set():
            return Outcome.AGAIN
        return sink(impersonation_id, batch)

    reports = Reports(send, first_wait=0.3)
    reports.add("imp_1", action("one"))
    reports.add("imp_2", action("two"))
    deadline = time.monotonic() + 5
    while not sink.batches and time.monotonic() < deadline:
        time.sleep(0.01)
    assert sink.batches == [("imp_2", ["two"])]
    assert reports.waiting == 1
    stuck.set()
    assert reports.flush(10)
    reports.close()
    assert sink.batches[1:] == [("imp_1", ["one"])]
    assert reports.dropped == 0


def test_client_that_is_not_let_in_keeps_its_reports_and_says_so(
    paper: Paper, caplog: pytest.LogCaptureFixture
) -> None:
    paper.mock.post(URL, [{"status_code": 401, "json": {}}, {"json": {"accepted": 1, "known": 0}}])
    server = paper.server()
    server.report(VerifiedToken.parse(claims(**acting())), "view.accounts")
    assert server.reports.flush(10)
    assert server.reports.dropped == 0
    assert "reports wait: the issuer answers 401 to client" in caplog.text


def test_metrics_that_fail_stop_nothing(caplog: pytest.LogCaptureFixture) -> None:
    def fail(_why: str, _count: int) -> None:
        raise RuntimeError("metrics")

    reports = Reports(Sink(outcome=Outcome.LATE), on_drop=fail)
    reports.add("imp_1", action())
    assert reports.flush(10)
    reports.close()
    assert reports.drops == {"late": 1}
    assert "on_drop failed" in caplog.text


def test_sender_that_crashes_loses_nothing() -> None:
    sink = Sink()
    crashes = [RuntimeError("once")]

    def send(impersonation_id: str, batch: list[dict[str, Any]]) -> Outcome:
        if crashes:
            raise crashes.pop()
        return sink(impersonation_id, batch)

    reports = Reports(send, first_wait=0.001)
    reports.add("imp_1", action())
    assert reports.flush(10)
    reports.close()
    assert sink.batches == [("imp_1", ["one"])]


def test_full_queue_drops_and_never_waits(caplog: pytest.LogCaptureFixture) -> None:
    del caplog
    sink = Sink()
    sink.gate.clear()
    reports = Reports(sink, capacity=2)
    began = time.monotonic()
    for number in range(5):
        reports.add("imp_1", action(str(number)))
    assert time.monotonic() - began < 1
    assert reports.dropped == 3
    sink.gate.set()
    assert reports.flush(10)
    reports.close()


def test_close_sends_what_is_left_and_gives_up_in_time() -> None:
    sink = Sink()
    reports = Reports(sink)
    reports.add("imp_1", action())
    reports.close()
    assert sink.batches == [("imp_1", ["one"])]
    stuck = Reports(Sink(failures=10**6), first_wait=0.01)
    stuck.add("imp_1", action())
    stuck.close(0.1)
    assert stuck.dropped == 1


def test_process_that_ends_sends_what_is_left() -> None:
    code = """
from authserver.resource.reports import Action, Outcome, Reports
def send(impersonation, batch):
    print(impersonation, [entry["id"] for entry in batch])
    return Outcome.TAKEN
Reports(send).add("imp_1", Action.of("one", "view.accounts", 0, {}))
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    assert (ended.stdout, ended.stderr) == ("imp_1 ['one']\n", "")


def test_report_goes_as_the_client_and_says_what_was_given_and_nothing_else(paper: Paper) -> None:
    paper.mock.post(URL, json={"accepted": 1, "known": 0})
    server = paper.server()
    server.report(VerifiedToken.parse(claims(**acting())), "view.accounts", count=2, page="first")
    assert server.reports.flush(10)
    server.reports.close()
    request = paper.mock.last_request
    assert request is not None
    assert request.headers["Authorization"].startswith("Basic ")
    (sent,) = request.json()["actions"]
    assert len(sent.pop("id")) == 32
    assert sent == {"kind": "view.accounts", "at": "2027-01-15T08:00:00.000Z", "details": {"count": 2, "page": "first"}}


def test_plain_token_has_nothing_to_report(paper: Paper) -> None:
    server = paper.server()
    server.report(VerifiedToken.parse(claims()), "view.accounts")
    server.reports.close()
    assert not paper.mock.called


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        ({"json": {"accepted": 1, "known": 0}}, Outcome.TAKEN),
        ({"status_code": 400, "json": {}}, Outcome.REFUSED),
        ({"status_code": 413, "json": {}}, Outcome.REFUSED),
        ({"status_code": 409, "json": {}}, Outcome.LATE),
        ({"status_code": 404, "json": {}}, Outcome.LATE),
        ({"status_code": 401, "json": {}}, Outcome.AGAIN),
        ({"status_code": 403, "json": {}}, Outcome.AGAIN),
        ({"status_code": 429, "json": {}}, Outcome.AGAIN),
        ({"status_code": 503, "json": {}}, Outcome.AGAIN),
        ({"exc": requests.ConnectionError}, Outcome.AGAIN),
    ],
)
def test_only_what_may_yet_succeed_is_sent_again(paper: Paper, answer: dict[str, Any], outcome: Outcome) -> None:
    paper.mock.post(URL, **answer)
    assert paper.server()._send("imp_1", [action().body()]) is outcome


@pytest.mark.parametrize(
    ("kind", "details"),
    [
        ("View", {}),
        ("", {}),
        ("k" * 65, {}),
        ("k", {"a key": 1}),
        ("k", {"list": [1]}),
        ("k", {"fraction": 0.5}),
        ("k", {"big": 2**53}),
        ("k", {f"k{number}": 1 for number in range(33)}),
        ("k", {f"k{number}": "x" * 128 for number in range(9)}),
    ],
)
def test_report_that_the_api_would_refuse_is_the_callers_mistake(kind: str, details: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"kind|details|number"):
        Action.of("one", kind, NOW, details)


def test_long_and_unprintable_text_is_cut() -> None:
    shown = Action.of("one", "k", NOW, {"text": "x" * 200, "line": "a\nb\0c\ud800"}).details
    assert shown == {"text": "x" * 127 + "…", "line": "a\ufffdb\ufffdc\ufffd"}
