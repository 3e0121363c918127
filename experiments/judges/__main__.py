"""``python -m experiments.judges --run RUN --dialogues FILE``: a student's replies, scored by us and by lm-eval.

RUN is a finished run of a causal language model on dialogues, FILE has ``turns``. The student leaves by ``slimlit export
--to hub``, and lm-eval (EleutherAI) reads that folder as a local task, without our code.
"""

import argparse
import json
import math
import sys
from pathlib import Path
from typing import Any

from slimlit.__main__ import main as slimlit

TASK = """\
task: {name}
dataset_path: json
dataset_kwargs: {{data_files: {{test: {file}}}}}
test_split: test
output_type: loglikelihood
doc_to_text: "{{{{prompt}}}}"
doc_to_target: "{{{{{target}}}}}"
target_delimiter: ""
metric_list: [{{metric: perplexity}}, {{metric: acc}}]
"""


def main() -> None:
    """Score by both and print what each says."""
    parser = argparse.ArgumentParser(prog="python -m experiments.judges", description=__doc__)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--dialogues", type=Path, required=True)
    parser.add_argument("--output", type=Path, default=Path("runs/judges"))
    asked = parser.parse_args()
    asked.output.mkdir(parents=True, exist_ok=True)
    hub = asked.run / "export" / "hub"
    if not hub.is_dir():
        call("export", "--run", asked.run, "--to", "hub")
    call("test", "--run", asked.run, f"--data.test={asked.dialogues}", "--trainer.precision=32-true")
    ours = json.loads((asked.run / "reports" / "test.json").read_text())
    tokens = write_replies(asked.run, asked.dialogues, asked.output)
    theirs, documents = judge(hub, asked.output)
    said = {
        "dialogues": documents,
        "tokens of replies": tokens,
        "nats a token, slimlit test": math.log(ours["test/perplexity"]),
        "nats a token, lm-eval": -theirs / tokens,
    }
    print(json.dumps(said, indent=1))
    (asked.output / "results.json").write_text(json.dumps(said, indent=1) + "\n")


def call(*arguments: Any) -> None:
    """One verb of slimlit."""
    if slimlit([*map(str, arguments), "--wandb=disabled"]):
        sys.exit(1)


def write_replies(run: Path, dialogues: Path, output: Path) -> int:
    """What each dialogue asks and what is replied, as one text each, for the judge; the number of tokens that are replied."""
    import yaml

    from slimlit.data import Dialogues

    settings = yaml.safe_load((run / "config.yaml").read_text())["data"]["init_args"]
    data = Dialogues(**{**settings, "test": str(dialogues)})
    data.setup("test")
    rows = data.splits["test"]
    tokens = 0
    with (output / "replies.jsonl").open("w") as file:
        for number in range(len(rows)):
            batch = rows.batch([number])
            learned = batch["labels"][0][batch["labels"][0] != -100].tolist()
            tokens += len(learned)
            reply = data.tokenizer.decode(learned, skip_special_tokens=False, clean_up_tokenization_spaces=False)
            prompt = rows.texts[number].rstrip()
            border = rows.texts[number][len(prompt) :]
            file.write(json.dumps({"prompt": prompt, "border": border, "reply": border + reply}) + "\n")
    return tokens


def judge(hub: Path, output: Path) -> tuple[float, int]:
    """The log-likelihood of all replies by lm-eval, in nats, and how many it scored.

    It reads white space at the end of a prompt as the beginning of the answer: what that alone costs is asked as a task of
    its own, and taken off.
    """
    from lm_eval import simple_evaluate  # type: ignore[import-not-found]
    from lm_eval.tasks import TaskManager  # type: ignore[import-not-found]

    for name in ("reply", "border"):
        text = TASK.format(name=name, target=name, file=(output / "replies.jsonl").resolve())
        (output / f"{name}.yaml").write_text(text)
    found = simple_evaluate(
        model="hf",
        model_args={"pretrained": str(hub), "dtype": "float32", "backend": "causal"},
        tasks=["reply", "border"],
        task_manager=TaskManager(include_path=str(output), include_defaults=False),
        device="cpu",
        batch_size=1,
        log_samples=True,
        bootstrap_iters=0,
    )
    scored = {name: [float(one["resps"][0][0][0]) for one in found["samples"][name]] for name in ("reply", "border")}
    return sum(scored["reply"]) - sum(scored["border"]), len(scored["reply"])


if __name__ == "__main__":
    main()
