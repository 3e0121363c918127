"""The verb ``chat``: talk to a run's student, or to any causal language model, in the terminal."""

import argparse
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from io import TextIOWrapper
from typing import Protocol, runtime_checkable

import yaml

from slimlit import runs
from slimlit.text.conversations import Message, with_system

COMMANDS = """\
/reset        begin anew
/system TEXT  begin anew with another message of the system; without TEXT, none
/help         this
/quit         end, as Ctrl-D does; Ctrl-C stops a reply"""


@runtime_checkable
class Answers(Protocol):
    """What can be talked to."""

    num_tokens: int

    def answer(self, messages: list[Message]) -> Iterator[str]:
        """The next reply, in pieces."""


def parser() -> argparse.ArgumentParser:
    """The options of the verb."""
    found = argparse.ArgumentParser(
        prog="slimlit chat",
        description="Talk to a run's student. Lines from a pipe are turns; only replies are written to the output then.",
        epilog=f"examples: slimlit chat --run first; slimlit chat --model smollm2 --system 'Answer in one line.'\n\n{COMMANDS}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    who = found.add_mutually_exclusive_group(required=True)
    who.add_argument("--run", help="name of a run whose student writes")
    who.add_argument("--model", metavar="SOURCE", help="a bundled name, folder or hub name")
    found.add_argument("--runs", default="runs", help="folder that holds the runs")
    found.add_argument("--system", help="message of the system; default: the one the run was trained with")
    found.add_argument(
        "--max_new_tokens",
        type=int,
        help="of a reply, at most; default: 256, or half of what the model reads where that is less",
    )
    found.add_argument("--temperature", type=float, default=0.7, help="0 takes the likeliest words; default: 0.7")
    found.add_argument(
        "--top_p",
        type=float,
        default=1.0,
        help="draw from the likeliest words with this share together, where the temperature is above 0; default: 1",
    )
    found.add_argument("--seed", type=int, default=0, help="of the words drawn; default: 0")
    return found


def chat(arguments: list[str]) -> int:
    """Talk until the input ends, and return the exit status."""
    asked = parser().parse_args(arguments)
    try:
        source, system = asked.model, asked.system
        if asked.run is not None:
            run = runs.find(asked.run, asked.runs)
            source = str(run.folder)
            if not run.student.is_dir():
                raise ValueError(
                    f"run {run.name!r} is not finished: it has no student/\nfinish it: {run.resume_command()}"
                )
            if system is None:
                system = yaml.safe_load(run.config.read_text())["data"].get("init_args", {}).get("system")
        from slimlit.models.pretrained import quiet_files
        from slimlit.models.speaker import Speaker

        with quiet_files():
            speaker = Speaker(source, asked.max_new_tokens, asked.temperature, asked.seed, asked.top_p)
    except ValueError as mistake:
        print(f"error: {mistake}", file=sys.stderr)
        return 2
    if asked.top_p < 1.0 and asked.temperature == 0.0:
        print("--top_p has no effect with --temperature 0, which takes the likeliest words", file=sys.stderr)
    talk = Talk(speaker, system)
    try:
        talk.go_on()
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        talk.status = 1
    if talk.seconds:
        speed = speaker.num_tokens / talk.seconds
        print(f"{speaker.num_tokens} tokens, {speed:.1f} tokens per second", file=sys.stderr)
    return talk.status


@dataclass
class Talk:
    """A dialogue at the terminal, or through a pipe."""

    speaker: Answers
    system: str | None = None
    messages: list[Message] = field(default_factory=list)
    seconds: float = 0.0
    status: int = 0

    def __post_init__(self) -> None:
        self.is_terminal = sys.stdin.isatty()
        if not self.is_terminal and isinstance(sys.stdin, TextIOWrapper):
            sys.stdin.reconfigure(errors="replace")

    def go_on(self) -> None:
        """Take turns until the input ends."""
        if self.is_terminal:
            print(f"type and press Enter\n{COMMANDS}\n", file=sys.stderr)
            with suppress(ImportError):
                import readline  # noqa: F401 # lines can be edited, and come back with the arrow keys
        while (line := self._listen()) is not None:
            if line in ("/quit", "/exit"):
                return
            if line.startswith("/"):
                self._obey(line)
            elif line:
                self._reply(line)

    def _listen(self) -> str | None:
        """The next line; None where there is none."""
        while True:
            try:
                if self.is_terminal:
                    return input("> ").strip()
                line = sys.stdin.readline()
                return line.strip() if line else None
            except EOFError:
                print(file=sys.stderr)
                return None
            except KeyboardInterrupt:
                if not self.is_terminal:
                    raise
                print("\n/quit or Ctrl-D ends", file=sys.stderr)

    def _obey(self, line: str) -> None:
        name, _, rest = line.partition(" ")
        if name == "/reset":
            self.messages = []
        elif name == "/system":
            self.system, self.messages = rest.strip() or None, []
        elif name == "/help":
            print(COMMANDS, file=sys.stderr)
        else:
            print(f"no command {name}\n{COMMANDS}", file=sys.stderr)

    def _reply(self, line: str) -> None:
        """Say what is answered as it comes; a reply that is stopped counts as said as far as it came."""
        turns = [*self.messages, {"role": "user", "content": line}]
        started, said = time.perf_counter(), ""
        try:
            for piece in self.speaker.answer(with_system(turns, self.system)):
                print(piece, end="", flush=True)
                said += piece
        except ValueError as mistake:
            print(f"error: {mistake}", file=sys.stderr)
            self.status = 0 if self.is_terminal else 2
            return
        except KeyboardInterrupt:
            if not self.is_terminal:
                raise
        finally:
            self.seconds += time.perf_counter() - started
        print(flush=True)
        if said:
            self.messages = [*turns, {"role": "assistant", "content": said}]
