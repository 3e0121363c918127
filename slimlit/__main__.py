"""The front door: help, version and verbs, answered without importing anything heavy."""

import os
import sys

HELP = """\
slimlit turns a big language model into a small, private, explainable one.

usage: slimlit VERB [options]        (or: python -m slimlit VERB [options])

  fit        train a student, plainly or distilled from a teacher
  validate   score a run on its validation texts
  test       score a run on its test texts
  predict    label the texts of a file with a run's student
  chat       talk to a run's student
  compress   make a smaller run of a finished one
  audit      attack a run: what it tells of its training texts
  explain    show and test the reasons of a run's answers
  export     take a run's student to the hub, ONNX, OpenVINO, ExecuTorch or GGUF, and prove it there
  bench      size, memory and speed of a run's teacher, student and exports
  prepare    raw text to a data set with a report
  download   fetch a bundled model or text, or one of the hub
  budget     noise for an epsilon, epsilon for noise

Each verb explains itself: slimlit fit --help

examples:
  slimlit prepare --config configs/prepare/slimpajama.yaml --sources texts/ --output data/clean
  slimlit download minilm
  slimlit fit --config my.yaml --run first
  slimlit fit --run first --resume --trainer.max_epochs 5
  slimlit test --run first
  slimlit predict --run first --data.predict texts.csv
  slimlit chat --run first
  slimlit compress --run first --to small --vocabulary seen --heads 0.5 --epochs 2
  slimlit audit --run first
  slimlit explain --run first --text "a gripping, tender film"
  slimlit export --run first --to onnx --precision int8
  slimlit bench --run first --quick
"""
VERBS = (
    *("fit", "validate", "test", "predict", "chat", "compress", "audit", "explain", "export", "bench"),
    *("prepare", "download", "budget"),
)


def main(argv: list[str] | None = None) -> int:
    """Answer one command line and return its exit status: 0 done, 1 interrupted or a claim refuted, 2 a mistake in what was asked, 143 ended by SIGTERM."""
    arguments = sys.argv[1:] if argv is None else argv
    verb = arguments[0] if arguments else "--help"
    if verb in ("-h", "--help", "help"):
        print(HELP, end="")
        return 0
    if verb in ("-V", "--version"):
        from importlib.metadata import version

        print(f"slimlit {version('slimlit')}")
        return 0
    if verb not in VERBS:
        print(_unknown(verb), file=sys.stderr)
        return 2
    if verb == "download":
        from slimlit.text.downloads import download

        return download(arguments[1:])
    if verb == "prepare":
        from slimlit.text.prepare import prepare

        return prepare(arguments[1:])
    if verb == "budget":
        from slimlit.privacy.budget import budget

        return budget(arguments[1:])
    if verb == "chat":
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
        from slimlit.chat import chat

        return chat(arguments[1:])
    if argv is None and os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())  # classes of one's own, as python -m slimlit finds them
    from slimlit.command_line import Asked

    try:
        Asked.read(arguments).check()
    except ValueError as mistake:
        print(f"error: {mistake}", file=sys.stderr)
        return 2
    # Idle OpenMP threads that spin cost three times the CPU on a busy machine; read once, when torch is imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from slimlit.cli import run

    return run(arguments)


def _unknown(verb: str) -> str:
    from difflib import get_close_matches

    if verb.startswith("-"):
        return f"slimlit: a verb comes first, not {verb!r}\nverbs: {' '.join(VERBS)}; see slimlit --help"
    near = get_close_matches(verb, VERBS, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"slimlit: no verb {verb!r}\n{hint}verbs: {' '.join(VERBS)}; see slimlit --help"


if __name__ == "__main__":
    sys.exit(main())
