"""``python -m experiments.vocabulary_loss.on_gpu``: the loss beside the naive formula and the bare products on a CUDA device."""

import dataclasses
import json
import statistics
from collections.abc import Callable

import torch
from torch import Tensor

from experiments.vocabulary_loss.contestants import naive, products, slimlit
from experiments.vocabulary_loss.job import Job, make_job
from slimlit.types import WordHead

JOBS = {"4,096 tokens x 50,257 words": (4096, 50257), "4,096 tokens x 128,256 words": (4096, 128256)}
CONTESTANTS: dict[str, Callable[[Job], Tensor]] = {
    "products alone": products.whole,
    "naive": naive.forward_divergence,
    "slimlit": slimlit.forward_divergence,
    "slimlit, bf16": lambda job: in_bf16(slimlit.forward_divergence, job),
    "naive, bf16": lambda job: in_bf16(naive.forward_divergence, job),
}
ROUNDS = 7


def in_bf16(step: Callable[[Job], Tensor], job: Job) -> Tensor:
    """A step under bfloat16 autocast."""
    with torch.autocast("cuda", torch.bfloat16):
        return step(job)


def move(job: Job) -> Job:
    """The job on the device."""
    teacher = WordHead(job.teacher.hidden.cuda(), job.teacher.weight.cuda())
    hidden, weight = (tensor.detach().cuda().requires_grad_() for tensor in (job.hidden, job.weight))
    return dataclasses.replace(job, hidden=hidden, weight=weight, teacher=teacher, labels=job.labels.cuda())


def measure(job: Job, step: Callable[[Job], Tensor]) -> tuple[dict[str, float], list[Tensor]]:
    """Median milliseconds of a step, MiB it takes beyond the job, its loss; and its gradients."""
    times = []
    for _ in range(ROUNDS + 2):
        job.hidden.grad = job.weight.grad = None
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        began, ended = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        began.record()  # type: ignore[no-untyped-call]
        loss = step(job)
        ended.record()  # type: ignore[no-untyped-call]
        torch.cuda.synchronize()
        times.append(began.elapsed_time(ended))  # type: ignore[no-untyped-call]
        extra = (torch.cuda.max_memory_allocated() - before) / 2**20
    found = {"ms": statistics.median(times[2:]), "extra_mib": extra, "loss": float(loss.detach())}
    return found, [grad.clone() for grad in (job.hidden.grad, job.weight.grad) if grad is not None]


def main() -> None:
    """Measure all and print them as JSON; ``off`` is the greatest difference of a gradient, of the naive one's greatest."""
    results = {"device": torch.cuda.get_device_name(), "torch": torch.__version__}
    for name, size in JOBS.items():
        job, rows = move(make_job(*size)), {}
        exact: list[Tensor] = []
        for contestant, step in CONTESTANTS.items():
            rows[contestant], grads = measure(job, step)
            if contestant == "naive":
                exact = grads
            if grads and exact:
                rows[contestant]["off"] = max(
                    float((one - other).abs().max() / other.abs().max())
                    for one, other in zip(grads, exact, strict=True)
                )
        results[name] = rows
    print(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
