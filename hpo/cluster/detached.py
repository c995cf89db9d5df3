"""The parent of a driver that outlives its terminal: it passes signals on, and notes how the driver ended.

``python -m hpo.cluster.detached FILE COMMAND …`` writes the command's exit code to the file, as JSON.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from types import FrameType

from hpo.storage.atomic import write_json


def main(file: Path, command: list[str]) -> int:
    """Run a command to its end; its exit code, 128 and the signal's number where a signal ended it."""
    driver: subprocess.Popen[bytes] | None = None

    def pass_on(number: int, _: FrameType | None) -> None:
        if driver is None:
            sys.exit(128 + number)
        driver.send_signal(number)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGHUP):
        signal.signal(number, pass_on if number != signal.SIGHUP else signal.SIG_IGN)
    driver = subprocess.Popen(command)
    code = driver.wait()
    code = code if code >= 0 else 128 - code
    write_json(file, code)
    return code


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
