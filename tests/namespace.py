"""Run a module of the tests in a network namespace of its own, where names lead to addresses that the test gives.

The names stand in a hosts file that only that process sees; there is no way out, whatever the code under test does.  A
kernel that gives no namespaces to whoever runs the tests skips them.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.databases import ROOT
from tests.system.presence import needs

ALONE = ("--net", "--mount", "--map-root-user")
BEGIN = 'ip link set lo up && mount --bind "$1" /etc/hosts && shift && exec "$@"'


def alone(folder: Path, names: Mapping[str, str], module: str, *arguments: str) -> Any:
    """Return what `python -m module` printed, read as JSON; it can look up `names` only: name -> address."""
    unshare = needs("unshare", shutil.which("unshare"))
    needs("ip", shutil.which("ip"))
    if subprocess.run((unshare, *ALONE, "true"), capture_output=True, timeout=60, check=False).returncode:
        pytest.skip("the kernel gives no namespaces here")
    hosts = folder / "hosts"
    lines = ["127.0.0.1 localhost", *(f"{address} {name}" for name, address in names.items())]
    hosts.write_text("\n".join(lines) + "\n", encoding="utf-8")
    program = (sys.executable, "-m", module, *arguments)
    command = (unshare, *ALONE, "sh", "-c", BEGIN, "sh", str(hosts), *program)
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)
