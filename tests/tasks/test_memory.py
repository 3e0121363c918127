"""Keeping freed memory: freed blocks come back without new pages, and nothing computed changes."""

import platform
import resource
import subprocess
import sys

import pytest

SCRIPT = """
import resource, sys, torch
from slimlit.tasks.memory import keep_freed_memory
torch.set_num_threads(1)
if sys.argv[1] == "keep":
    keep_freed_memory()
torch.zeros(12_000_000)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    torch.zeros(12_000_000).add_(1.0)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="a setting of glibc")
def test_freed_memory_is_used_again_without_new_pages():
    def faults(setting: str) -> int:
        return int(subprocess.run([sys.executable, "-c", SCRIPT, setting], capture_output=True, check=True).stdout)

    pages = 12_000_000 * 4 // resource.getpagesize()
    assert faults("leave") > 4 * pages
    assert faults("keep") < 2 * pages
