"""The process that measures one contestant: it loads it, and answers requests, a JSON line each."""

import json
import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from slimlit.bench.energy import joules
from slimlit.bench.opening import Answer, Export, Inputs, Network, open_contestant

_STATUS = Path("/proc/self/status")
_MOST_CALLS = 200


def main() -> None:
    """Answer requests until there are no more."""
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no reply
    contestant = json.loads(sys.argv[1])
    if contestant["opens"] == "export":
        _warm_runtime(contestant)
    idle = _resident("VmRSS")
    _forget_peak()
    opened = open_contestant(contestant)
    child = Child(opened, contestant["kind"])
    print(json.dumps({"idle MiB": idle, "loaded MiB": _resident("VmRSS") - idle}), file=replies, flush=True)
    does: dict[str, Callable[..., dict[str, Any]]] = {
        "time": child.time,
        "score": child.score,
        "write": child.write,
        "peak": lambda: {"peak MiB": _resident("VmHWM") - idle},
    }
    for line in sys.stdin:
        request = json.loads(line)
        print(json.dumps(does[request.pop("do")](**request)), file=replies, flush=True)


class Child:
    """One contestant, opened.

    Args:
        opened: it.
        kind: of its head.
    """

    def __init__(self, opened: Network | Export, kind: str) -> None:
        self.opened, self.kind = opened, kind
        self.num_threads = 0
        self.answer: Answer

    def with_threads(self, num_threads: int) -> Answer:
        """It, on so many threads."""
        if num_threads != self.num_threads:
            self.answer = self.opened.open(num_threads)
            self.num_threads = num_threads
        return self.answer

    def time(self, batch: int, length: int, threads: int, seconds: float) -> dict[str, Any]:
        """Read the same texts again and again for so long: the seconds by the clock and of the processor of each time."""
        inputs, answer = self.inputs(batch, length), self.with_threads(threads)
        answer(inputs)
        clock: list[float] = []
        processor: list[float] = []
        before, until = joules(), time.perf_counter() + seconds
        while not clock or (time.perf_counter() < until and len(clock) < _MOST_CALLS):
            start, used = time.perf_counter(), time.process_time()
            answer(inputs)
            processor.append(time.process_time() - used)
            clock.append(time.perf_counter() - start)
        after = joules()
        spent = None if before is None or after is None else (after - before) / len(clock)
        return {"seconds": clock, "cpu seconds": processor, "joules": spent}

    def score(self, texts: str) -> dict[str, Any]:
        """How often it is right on the texts of a file, and what their true answers cost it in nats."""
        answer = self.with_threads(1)
        right, count, nats = 0, 0, 0.0
        with np.load(texts) as file:
            for number in range(int(file["number"])):
                ours = {name: file[f"{number}.{name}"] for name in file["names"].tolist()}
                labels = ours.pop("labels")
                asked = labels >= 0
                logits = answer(ours)[asked].astype(np.float64)
                true = labels[asked]
                right += int((logits.argmax(-1) == true).sum())
                count += len(true)
                logits -= logits.max(-1, keepdims=True)
                nats -= float((logits[np.arange(len(true)), true] - np.log(np.exp(logits).sum(-1))).sum())
        return {"right": right, "count": count, "nats": nats}

    def write(self, batch: int, length: int, num_new: int, threads: int) -> dict[str, Any]:
        """The seconds that the first new word takes after a prompt, and each word after it; nothing of what does not write.

        Guarantees:
            - seconds are those of words that were really written;
            - none are told where fewer than half of the words asked for were written.
        """
        self.with_threads(threads)
        if not self.opened.writes:
            return {}
        prompts = self.inputs(batch, length)["input_ids"]
        took, written = [], []
        for number in (1, 1, num_new + 1):  # the first is to warm up
            start = time.perf_counter()
            written.append(self.opened.write(prompts, number))
            took.append(time.perf_counter() - start)
        after_first = written[2] - 1
        if written[1] < 1 or after_first < max(1, num_new / 2):
            return {"words": written[2]}
        decoding = max(1e-9, took[2] - took[1]) / after_first
        return {"words": written[2], "prefill seconds": took[1], "decode seconds": decoding}

    def inputs(self, batch: int, length: int) -> Inputs:
        """Texts of words drawn at random, always the same."""
        shape = (batch, length)
        ids = np.random.default_rng(0).integers(min(5, self.opened.num_words - 1), self.opened.num_words, shape)
        ones = np.ones(shape, dtype=np.int64)
        found = {"input_ids": ids, "attention_mask": ones}
        if self.kind == "seq2seq_lm":
            found |= {"decoder_input_ids": ids, "decoder_attention_mask": ones}
        if isinstance(self.opened, Export):
            found |= {"token_type_ids": 0 * ones, "pooling_mask": ones}
        return found


def _warm_runtime(contestant: dict[str, Any]) -> None:
    """Import an export's runtime: its code is no part of the model's memory."""
    facts = json.loads((Path(contestant["source"]) / "slimlit.json").read_text())
    module = {"onnx": "onnxruntime", "openvino": "openvino", "executorch": "executorch.runtime"}.get(facts["target"])
    if module is not None:
        __import__(module)


def _resident(which: str) -> float:
    """MiB in memory now (``VmRSS``) or at most so far (``VmHWM``)."""
    if _STATUS.exists():
        line = next(line for line in _STATUS.read_text().splitlines() if line.startswith(which))
        return int(line.split()[1]) / 1024
    unit = 2**20 if sys.platform == "darwin" else 2**10  # no Linux: what was used at most is all there is to know
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def _forget_peak() -> None:
    """What importing took at its highest is no part of the model's memory."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:  # no Linux, or not allowed: the peak is then that of importing too
        return


if __name__ == "__main__":
    main()
