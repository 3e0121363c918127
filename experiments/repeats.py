"""What experiments that are run several times share: the mean of the runs, and the machine of each."""

import statistics


def mean(values: list[float]) -> str:
    """The mean, with the standard deviation where there are several."""
    if not values:
        return ""
    spread = f" ± {statistics.stdev(values):.4f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.4f}{spread}"


def device() -> str:
    """What this machine trains on."""
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
