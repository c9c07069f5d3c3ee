"""The gateway as process 1, as in a container, where this machine lets a namespace of processes be made."""

import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Final

AS_PROCESS_1: Final = ("unshare", "--pid", "--fork", "--kill-child")
CONFINED: Final = (*AS_PROCESS_1, "--mount")


@cache
def may(*command: str) -> bool:
    """Tell whether a command that runs another one can do so here."""
    if shutil.which(command[0]) is None:
        return False
    return subprocess.run([*command, "true"], capture_output=True, check=False).returncode == 0


def child(pid: int) -> int:
    """Return the number of a process's first child, 0 while there is none."""
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(found[0]) if found else 0
