"""What a runtime is held to."""

import sys
from types import ModuleType

import pytest

from slimlit.export.runtimes import hold_executorch


def test_executorch_is_held_to_its_threads_or_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("executorch", "executorch.extension", "executorch.extension.pybindings"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    pool, threads = ModuleType("portable_lib"), [2]
    sys.modules["executorch.extension.pybindings"].portable_lib = pool  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="cannot be held to a number of threads"):
        hold_executorch(1)
    pool._threadpool_get_thread_count = lambda: threads[-1]  # type: ignore[attr-defined]
    pool._unsafe_reset_threadpool = threads.append  # type: ignore[attr-defined]
    hold_executorch(1)
    hold_executorch(1)
    assert threads == [2, 1]
