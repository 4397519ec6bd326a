"""How often the web process looks for garbage."""

import subprocess
import sys

_COUNT = """
import gc
from hpc_portal.cli.web import look_for_garbage_seldom

class Node:
    def __init__(self):
        self.myself = self
        alive.append(1)

    def __del__(self):
        alive.pop()

alive, looks = [], []
look_for_garbage_seldom()
gc.callbacks.append(lambda phase, told: looks.append(told["generation"]) if phase == "start" else None)
page = [[] for _ in range(10_000)]
print(len(looks))
for _ in range(200_000):
    Node()
print(len(alive) < 50_000)
"""


def test_a_long_page_is_not_looked_through_and_garbage_is_found_all_the_same() -> None:
    told = subprocess.run([sys.executable, "-c", _COUNT], check=True, capture_output=True, text=True).stdout
    assert told.split() == ["0", "True"]
