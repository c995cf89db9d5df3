"""What a worker does before its first trial."""

import subprocess
import sys

COUNTED = """
import gc
from hpo.search.worker import load_libraries
begun = []
gc.callbacks.append(lambda phase, info: begun.append(phase))
load_libraries()
import sys
print(len(begun), gc.isenabled(), "hpo.training.trainer" in sys.modules)
before = gc.get_freeze_count()
kept = [[] for _ in range(1000)]
load_libraries()
print(before > 100_000, gc.get_freeze_count() == before)
"""


def test_what_the_imports_leave_is_looked_through_by_no_collection():
    done = subprocess.run([sys.executable, "-c", COUNTED], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["0 True True", "True True"]
