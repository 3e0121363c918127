"""Keeping freed memory: freed blocks come back without new pages, and nothing computed changes."""

import platform
import resource
import subprocess
import sys

import pytest

SCRIPT = """
import resource, torch
from slimlit.tasks.memory import keep_freed_memory
torch.set_num_threads(1)

def faults():
    torch.zeros(12_000_000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(5):
        torch.zeros(12_000_000).add_(1.0)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

left = faults()
keep_freed_memory()
print(left, faults())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="a setting of glibc")
def test_freed_memory_is_used_again_without_new_pages():
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, check=True)
    left, kept = map(int, done.stdout.split())
    pages = 12_000_000 * 4 // resource.getpagesize()
    assert left > 4 * pages
    assert kept < 2 * pages
