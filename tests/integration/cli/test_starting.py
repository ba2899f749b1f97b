"""Every verb is a process of its own: none waits for what another one needs."""

from __future__ import annotations

import subprocess
import sys

OF_FEW = ("reconciler.demo", "reconciler.simulators", "apscheduler", "celery", "kombu", "redis")


def test_a_verb_imports_neither_the_demo_nor_the_scheduler_nor_a_broker() -> None:
    told = "import sys, reconciler.cli; print(*sys.modules)"
    command = [sys.executable, "-c", told]
    modules = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert "reconciler.loop" in modules
    assert [name for name in OF_FEW if name in modules] == []
