"""``keep_freed_memory``: let the C library reuse what training frees instead of handing it back at every step."""

import ctypes
import platform

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # malloc.h
_ENOUGH = 2**30  # bytes; an embedding table's gradient, freed and wanted again at every step, stays below it


def keep_freed_memory() -> None:
    """On Linux with glibc, keep freed blocks of up to 1 GiB for the next step; elsewhere do nothing.

    Fresh pages for the gradient of a table of 30,522 x 384 took a tenth of a student's step on a CPU. Settings of the
    user's own (``MALLOC_...`` in the environment, another allocator) are overruled or unaffected, and nothing computed
    changes.
    """
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(_MMAP_THRESHOLD, _ENOUGH)
        libc.mallopt(_TRIM_THRESHOLD, _ENOUGH)
