"""``Preparation``: raw text to a data set with a report, by the steps of one YAML file."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from slimlit.text.prepare.near_duplicates import NearDuplicates
from slimlit.text.prepare.rules import NumCharacters, Rule
from slimlit.text.prepare.token_settings import TokenShards, TrainedTokenizer

HELD_OUT = ("validation", "test")


@dataclass(frozen=True)
class Stage:
    """One step over everything that is left: a name for the report, and what to do; it returns what it found.

    ``settings`` are those that may still change until the stage is done.
    """

    name: str
    run: Callable[[], dict[str, Any]]
    settings: dict[str, Any] | None = None


class Preparation:
    """Raw text to a data set: read, tidy, judge by rules, take out near-duplicates, split, decontaminate, write,
    make tokens, report.

    Guarantees:
        - every document that was read is in the output or counted in the report under the rule that took it;
        - a run that was killed and goes on gives the same bytes as one that was not; so do several processes;
        - the output appears whole or not at all, and is never overwritten;
        - the memory does not grow with the corpus, but for about 30 bytes a document and the held-out parts' n-gram samples.

    Args:
        sources: files and folders: .txt, .jsonl, .csv, .tsv, .parquet, plain or as .gz, .bz2, .xz, .zst.
        output: the folder to make.
        text_column: the field that holds the text; the other fields stay as they are.
        unit: what one document of a .txt is: the file, a paragraph (empty lines part them), or a line.
        rules: what a document must pass, in this order.
        near_duplicates: which documents count as the same; null keeps them all.
        split: share of each held-out part, ``validation`` and ``test``; {} makes only train.
        contained: a held-out document is dropped where a training document holds this share of its n-grams; null keeps it.
        seed: another seed, other splits.
        compression: of the output files.
        shard_mib: of an output file before compression.
        tokenizer: makes one of the training part, in OUTPUT/tokenizer; null makes none.
        shards: writes each part as tokens too, in OUTPUT/shards; null writes none.
        processes: how many read at once; changes nothing else.
    """

    def __init__(
        self,
        sources: list[str] | str,
        output: str,
        text_column: str = "text",
        unit: Literal["file", "paragraph", "line"] = "file",
        rules: list[Rule] | None = None,
        near_duplicates: NearDuplicates | None = NearDuplicates(),  # noqa: B008 (frozen)
        split: dict[str, float] | None = None,
        contained: float | None = 0.8,
        seed: int = 0,
        compression: Literal["none", "gz", "zst"] = "none",
        shard_mib: int = 256,
        tokenizer: TrainedTokenizer | None = None,
        shards: TokenShards | None = None,
        processes: int = 1,
    ) -> None:
        self.sources = [sources] if isinstance(sources, str) else sources
        self.output = output
        self.text_column = text_column
        self.unit: Literal["file", "paragraph", "line"] = unit
        self.rules = [NumCharacters()] if rules is None else rules
        self.near_duplicates = near_duplicates
        self.split: dict[str, float] = {"validation": 0.01, "test": 0.01} if split is None else dict(split.items())
        self.contained = contained
        self.seed = seed
        self.compression = compression
        self.shard_mib = shard_mib
        self.tokenizer = tokenizer
        self.shards = shards
        self.processes = processes
        self._check()

    def _check(self) -> None:
        unknown = [name for name in self.split if name not in HELD_OUT]
        if unknown:
            raise ValueError(f"split has a part {unknown[0]!r}\nexpected shares of {' and '.join(HELD_OUT)}")
        if any(not 0.0 < share < 1.0 for share in self.split.values()) or sum(self.split.values()) >= 1.0:
            shares = ", ".join(f"{name} {share:g}" for name, share in self.split.items())
            raise ValueError(f"split is {shares}\nexpected shares above 0 that leave something for training")
        if self.contained is not None and not 0.0 < self.contained <= 1.0:
            raise ValueError(f"contained is {self.contained:g}\nexpected above 0, at most 1, or null")
        if self.shard_mib < 1 or self.processes < 1:
            raise ValueError("shard_mib and processes are 1 or more")
        if self.shards is not None and self.shards.tokenizer is None and self.tokenizer is None:
            raise ValueError(
                "shards need a tokenizer\nname one: shards.tokenizer: SOURCE, or have one trained: tokenizer: {vocab_size: N}"
            )
        names = [rule.name for rule in self.rules]
        if len(set(names)) < len(names):
            raise ValueError(f"a rule stands twice in: {', '.join(names)}\nname each once")

    def settings(self) -> dict[str, Any]:
        """Everything that decides the output's contents; a config that makes it again."""
        described: dict[str, Any] = {
            "sources": self.sources,
            "text_column": self.text_column,
            "unit": self.unit,
            "rules": [_described(rule) for rule in self.rules],
            "near_duplicates": None if self.near_duplicates is None else vars(self.near_duplicates).copy(),
            "split": self.split,
            "contained": self.contained,
            "seed": self.seed,
            "compression": self.compression,
            "shard_mib": self.shard_mib,
            "tokenizer": None if self.tokenizer is None else asdict(self.tokenizer),
            "shards": None if self.shards is None else asdict(self.shards),
        }
        return described

    def run(self) -> Path:
        """Make the data set, or go on making it; returns its folder.

        Raises:
            ValueError: the output exists, was begun with other settings or from other files, or nothing can be read.
        """
        from slimlit.text.prepare.documents import find_files
        from slimlit.text.prepare.stages import Work
        from slimlit.text.prepare.workplace import Workplace

        files = find_files(self.sources)
        if self.shards is not None and self.shards.tokenizer is not None:
            from slimlit.text.prepare.token_stages import load_with_borders

            load_with_borders(self.shards.tokenizer)  # before hours of work
        workplace = Workplace(Path(self.output).expanduser())
        identity = {**self.settings(), "tokenizer": self.tokenizer is not None, "shards": self.shards is not None}
        identity |= {"files": files.identity(), "slimlit": version("slimlit")}
        with workplace.opened(identity) as continues:
            if continues:
                print(f"going on with {workplace.folder}", flush=True)
            work = Work(self, files, workplace)
            reports: dict[str, Any] = {}
            for stage in self.stages(work):
                found = workplace.report_of(stage.name)
                if found is None:
                    found = stage.run()
                    workplace.finish_stage(stage.name, found)
                elif stage.settings is not None and found["settings"] != stage.settings:
                    raise ValueError(
                        f"{workplace.output} has its {stage.name} already, with other settings\n"
                        f"give the same ones to continue it, or remove {workplace.folder} to begin again"
                    )
                reports[stage.name] = found
            work.report(reports)
            workplace.publish()
        return workplace.output

    def stages(self, work: Any) -> list[Stage]:
        """The steps in order; each works on what the ones before it left in the workplace, and all but the last can be repeated."""
        stages = [Stage("documents", work.read)]
        if self.near_duplicates is not None:
            stages.append(Stage("near-duplicates", work.find_duplicates))
        stages.append(Stage("parts", work.write_parts))
        if self.tokenizer is not None:
            stages.append(Stage("tokenizer", work.train_tokenizer, asdict(self.tokenizer)))
        if self.shards is not None:
            stages.append(Stage("shards", work.write_shards, asdict(self.shards)))
        return stages


def _described(rule: Rule) -> dict[str, Any]:
    """A rule as a config names it; its attributes are its arguments."""
    arguments = {
        name: sorted(value) if isinstance(value, frozenset) else list(value) if isinstance(value, tuple) else value
        for name, value in vars(rule).items()
    }
    return {"class_path": path_of(type(rule)), "init_args": arguments}


def path_of(kind: type) -> str:
    """The import path of a class."""
    return f"{kind.__module__}.{kind.__qualname__}"
