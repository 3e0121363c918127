"""``joules``: what the processor's own counter says was used, where it can be read."""

from pathlib import Path

RAPL = Path("/sys/class/powercap")


def joules(root: Path = RAPL) -> float | None:
    """Joules used by all processor packages since some moment; None where there is no counter, or it is not for us to read.

    It counts all that runs on the machine, and starts anew at times: a difference below zero says nothing.
    """
    try:
        counters = [path / "energy_uj" for path in root.glob("intel-rapl:*") if path.name.count(":") == 1]
        return sum(int(path.read_text()) for path in counters) / 1e6 if counters else None
    except (OSError, ValueError):
        return None
