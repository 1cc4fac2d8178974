"""`cairn demo --faults`: what its verdict names, alerts name, too."""

import contextlib
import json
import re
import subprocess
import time

from daemons import CAIRN
from watching import watching

DEMO_S = 300
ALERT_OF = {
    "node_lost": "CairnNodeLost",
    "wrong_bytes": "CairnWrongBytes",
    "drive_errors": "CairnDriveErrors",
}


def addresses(errors) -> list[str]:
    """Of its daemons, as it tells them before it begins."""
    found = []
    for line in errors:
        found += re.findall(r"http://(\S+)/metrics", line)
        if line.startswith("dashboard"):
            return found
    raise AssertionError(f"the demo told no dashboard, but {found}")


def test_each_fault_is_named_by_the_verdict_and_by_an_alert(tmp_path):
    command = [CAIRN, "demo", "--faults", "--once", "--json", "--nodes", "2", "--hold", "10s"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    fired: set[str] = set()
    with subprocess.Popen(command, **pipes) as demo:
        try:
            with watching(tmp_path, addresses(demo.stderr)) as prometheus:
                limit = time.monotonic() + DEMO_S
                while demo.poll() is None:
                    assert time.monotonic() < limit, fired
                    with contextlib.suppress(OSError):  # It has not begun to listen.
                        fired |= prometheus.firing()
                    time.sleep(0.2)
            output, errors = demo.communicate()
        finally:
            demo.kill()
    assert demo.returncode == 0, output + errors
    faults = json.loads(output)
    assert [fault["finding"] for fault in faults] == list(ALERT_OF)
    shown = [fault for fault in faults if not fault["skipped"]]
    assert len(shown) >= 2
    for fault in shown:
        assert fault["named_s"] >= 0
        assert ALERT_OF[fault["finding"]] in fired, fired
    assert faults[0]["named_s"] < 30, "the verdict is red within half a minute"
