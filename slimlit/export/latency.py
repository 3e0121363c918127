"""``time_side_by_side``: how long one text takes, of several ways to read it in turn, so that a busy machine is busy for all."""

import statistics
import time
from collections.abc import Mapping

import torch

from slimlit.export.runtimes import Run
from slimlit.export.sample import Inputs

WARM = 3


def time_side_by_side(ways: Mapping[str, Run], inputs: Inputs, rounds: int = 21) -> dict[str, dict[str, float]]:
    """Median milliseconds of each way, by the clock and of the processor, each read once a round.

    PyTorch is held to one thread meanwhile; a runtime is opened with as many as it shall have.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    clock: dict[str, list[float]] = {name: [] for name in ways}
    processor: dict[str, list[float]] = {name: [] for name in ways}
    try:
        for number in range(WARM + rounds):
            for name, run in ways.items():
                start, used = time.perf_counter(), time.process_time()
                run(inputs)
                if number >= WARM:
                    processor[name].append(1000 * (time.process_time() - used))
                    clock[name].append(1000 * (time.perf_counter() - start))
    finally:
        torch.set_num_threads(before)
    return {
        name: {"ms": round(statistics.median(clock[name]), 3), "cpu ms": round(statistics.median(processor[name]), 3)}
        for name in ways
    }
