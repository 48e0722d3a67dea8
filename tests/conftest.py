"""What every test run shares: private folders, and an account of what was really exercised.

A suite that quietly leaves out the database or the broker proves nothing. So each run ends with a
line that says how many tests met which of them, and under `CI=true` a test that did not pass or a
kind that nobody exercised fails the run.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections import Counter

import pytest

pytest_plugins = ["tests.support.database_fixtures"]

KINDS = {"sqlite": "SQLite", "postgres": "PostgreSQL", "broker": "the broker"}
ACCOUNT = pytest.StashKey["Account"]()


class Account:
    """How many tests of each kind passed, and which were left out: told by their reports alone.

    Tests run in several processes, and only the reports come to the one that keeps the account.
    """

    def __init__(self) -> None:
        self.passed: Counter[str] = Counter()
        self.left_out: list[str] = []

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.skipped:
            self.left_out.append(report.nodeid)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.skipped:
            self.left_out.append(report.nodeid)
        elif report.when == "call" and report.passed:
            self.passed.update(KINDS.keys() & report.keywords.keys())

    def complaints(self) -> list[str]:
        """Why this run may not count as complete, one line a reason."""
        lines = [f"left out: {node}" for node in self.left_out]
        missing = [name for kind, name in KINDS.items() if not self.passed[kind]]
        return lines + [f"no test passed on {name}" for name in missing]

    def summary(self) -> str:
        return "tests passed on " + ", ".join(
            f"{name}: {self.passed[kind]}" for kind, name in KINDS.items()
        )


def pytest_configure(config: pytest.Config) -> None:
    account = Account()
    config.stash[ACCOUNT] = account
    config.pluginmanager.register(account)
    # The embedded PostgreSQL keeps its lock there, and warns without it. It has its own last word
    # at exit: what is registered before it is imported runs after that.
    folder = tempfile.mkdtemp(prefix="cv-", dir="/tmp")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ["XDG_RUNTIME_DIR"] = folder


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    if hasattr(session.config, "workerinput"):  # one of several processes has seen a part only
        return
    complete = not session.config.stash[ACCOUNT].complaints()
    if os.environ.get("CI") == "true" and exitstatus == pytest.ExitCode.OK and not complete:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    account = config.stash[ACCOUNT]
    terminalreporter.section("what was exercised")
    terminalreporter.line(account.summary())
    if os.environ.get("CI") == "true":
        for complaint in account.complaints():
            terminalreporter.line(f"FAILED: {complaint}", red=True)
