"""``python -m experiments.speed.arithmetic``: where a training step's CPU time goes, by precision, optimizer, attention and the word table's share."""

import argparse
import os
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from slimlit.models import Head, Pretrained, Shrunk
from slimlit.models.attention import quicken_dropout
from slimlit.models.seen_words import train_seen_words
from slimlit.tasks.memory import keep_freed_memory

LABELS = ["negative", "positive"]
LAYERS = {"student": [1, 2, 3], "teacher": [1, 2, 3, 4, 5, 6]}


@dataclass(frozen=True)
class Variant:
    """One way to do the same step."""

    precision: str = "autocast"  # float32 | autocast | bfloat16: weights themselves, with a float32 master copy
    optimizer: str = "fused"  # fused | foreach | for-loop | none
    attention: str = "sdpa"
    dropout: str = "torch"  # torch | quick | none
    table: str = "whole"  # whole | seen: 3,000 words | frozen


VARIANTS = {
    "float32": Variant("float32"),
    "bf16 autocast": Variant(),
    "bf16 autocast, foreach AdamW": Variant(optimizer="foreach"),
    "bf16 autocast, for-loop AdamW": Variant(optimizer="for-loop"),
    "bf16 autocast, eager attention": Variant(attention="eager"),
    "bf16 autocast, quick dropout": Variant(dropout="quick"),
    "bf16 autocast, no dropout": Variant(dropout="none"),
    "bf16 autocast, 3,000 seen words": Variant(table="seen"),
    "bf16 autocast, word table frozen": Variant(table="frozen"),
    "slimlit: bf16 autocast, quick dropout, 3,000 seen words": Variant(dropout="quick", table="seen"),
    "bf16 weights and float32 master, quick dropout, 3,000 seen words": Variant(
        "bfloat16", dropout="quick", table="seen"
    ),
}
Times = tuple[float, float, float]


def steps(variant: Variant, layers: list[int], source: str, batch: tuple[int, int]) -> Iterator[Times]:
    """CPU milliseconds of forward, backward and optimizer, step after step."""
    network = build(variant, layers, source)
    trained = [weight for weight in network.parameters() if weight.requires_grad]
    masters = [weight.detach().float().clone() for weight in trained] if variant.precision == "bfloat16" else trained
    optimizer = adamw(masters, variant.optimizer)
    labels = torch.randint(0, 2, (batch[0],))
    while True:
        input_ids = torch.randint(0, min(3000, network.config.vocab_size), batch)
        marks = [time.process_time()]
        with torch.autocast("cpu", torch.bfloat16, enabled=variant.precision == "autocast"):
            logits = network(input_ids=input_ids, attention_mask=torch.ones_like(input_ids)).logits
            loss = nn.functional.cross_entropy(logits.float(), labels)
        marks.append(time.process_time())
        loss.backward()
        marks.append(time.process_time())
        update(optimizer, masters, trained)
        marks.append(time.process_time())
        yield tuple((after - before) * 1e3 for before, after in pairwise(marks))  # type: ignore[misc]


def build(variant: Variant, layers: list[int], source: str) -> PreTrainedModel:
    """The network in train mode."""
    network = Shrunk(layers, pooling="attention").build(Head(LABELS), Pretrained(source).build(Head(LABELS)))
    network.set_attn_implementation(variant.attention)
    if variant.dropout == "quick":
        quicken_dropout(network)
    if variant.dropout == "none":
        for module in network.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0
    if variant.table == "frozen":
        network.get_input_embeddings().weight.requires_grad_(False)
    if variant.table == "seen":
        train_seen_words(network, range(3000))
    network.train()
    return network.to(torch.bfloat16) if variant.precision == "bfloat16" else network


def adamw(weights: list[Tensor], kind: str) -> torch.optim.AdamW:
    """AdamW of the kind."""
    return torch.optim.AdamW(weights, lr=1e-5, fused=kind == "fused", foreach=kind == "foreach")


@torch.no_grad()
def update(optimizer: torch.optim.AdamW, masters: list[Tensor], trained: list[Tensor]) -> None:
    """Step the masters, copy them to the weights where those are others, drop the gradients."""
    if masters is not trained:
        for master, weight in zip(masters, trained, strict=True):
            master.grad = None if weight.grad is None else weight.grad.float()
    optimizer.step()
    optimizer.zero_grad()
    if masters is not trained:
        torch._foreach_copy_(trained, masters)
        for weight in trained:
            weight.grad = None


def main() -> None:
    """Measure every variant in turn and print a table."""
    parser = argparse.ArgumentParser(prog="python -m experiments.speed.arithmetic", description=__doc__)
    parser.add_argument("--source", default="minilm", help="the encoder")
    parser.add_argument("--batch", type=int, nargs=2, default=(32, 28), help="examples and tokens")
    parser.add_argument("--networks", nargs="+", choices=LAYERS, default=["student"])
    parser.add_argument("--only", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--fresh-memory", action="store_true", help="freed memory goes back at every step, as it comes")
    arguments = parser.parse_args()
    os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
    torch.set_num_threads(arguments.threads)
    if not arguments.fresh_memory:
        keep_freed_memory()
    print(
        "| network | variant | forward | backward | optimizer | CPU ms a step | wall ms |\n|---|---|---|---|---|---|---|"
    )
    for name in arguments.networks:
        show(name, measure(name, arguments))


def measure(name: str, arguments: argparse.Namespace) -> dict[str, list[tuple[Times, float]]]:
    """Each variant's steps, in turn, after two that do not count."""
    found: dict[str, list[tuple[Times, float]]] = {variant: [] for variant in arguments.only}
    running = {
        variant: steps(VARIANTS[variant], LAYERS[name], arguments.source, tuple(arguments.batch))
        for variant in arguments.only
    }
    for number in range(arguments.rounds + 2):
        for variant, stepping in running.items():
            next(stepping)  # the caches are another variant's
            begun = time.perf_counter()
            cpu = next(stepping)
            if number > 1:
                found[variant].append((cpu, (time.perf_counter() - begun) * 1e3))
    return found


def show(name: str, found: dict[str, list[tuple[Times, float]]]) -> None:
    """One row a variant, medians."""
    middle: Callable[[list[float]], float] = statistics.median
    for variant, rows in found.items():
        parts = [middle([cpu[part] for cpu, _ in rows]) for part in range(3)]
        total, wall = middle([sum(cpu) for cpu, _ in rows]), middle([wall for _, wall in rows])
        print(f"| {name} | {variant} | {' | '.join(f'{part:.0f}' for part in (*parts, total, wall))} |")


if __name__ == "__main__":
    main()
