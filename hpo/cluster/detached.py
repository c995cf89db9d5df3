"""Runs a driver that outlives its terminal, forwards signals to it and stores its exit code.

``python -m hpo.cluster.detached FILE COMMAND …`` writes the exit code of the command to the file, as JSON.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from types import FrameType

from hpo.storage.atomic import write_json


def main(file: Path, command: list[str]) -> int:
    """Run a command and return its exit code, or 128 plus the number of the signal that ended it."""
    driver: subprocess.Popen[bytes] | None = None

    def forward(number: int, _: FrameType | None) -> None:
        if driver is None:
            sys.exit(128 + number)
        driver.send_signal(number)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGHUP):
        signal.signal(number, forward if number != signal.SIGHUP else signal.SIG_IGN)
    driver = subprocess.Popen(command)
    code = driver.wait()
    code = code if code >= 0 else 128 - code
    write_json(file, code)
    return code


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
