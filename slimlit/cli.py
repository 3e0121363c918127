"""The command: LightningCLI's verbs, each within one run directory."""

import json
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, cast

import yaml
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.fabric.utilities.rank_zero import rank_zero_only
from lightning.pytorch import LightningDataModule, Trainer
from lightning.pytorch.callbacks import ProgressBar
from lightning.pytorch.cli import ArgsType, LightningArgumentParser, LightningCLI
from lightning.pytorch.loggers import Logger

from slimlit import runs
from slimlit.callbacks.checkpoint_file import CheckpointFile
from slimlit.callbacks.ledger import write_origin
from slimlit.callbacks.metrics_file import MetricsFile
from slimlit.callbacks.progress_bar import Progress
from slimlit.callbacks.run_directory import Reporting, RunDirectory
from slimlit.command_line import EXAMPLES, Asked
from slimlit.data import TextClassification, TextModule
from slimlit.disk import ended_by_sigterm
from slimlit.predictor import predict_file
from slimlit.report import write_page
from slimlit.runs import Run
from slimlit.tasks.base import Task
from slimlit.verbs import VerbsTrainer

TRAINER_DEFAULTS = {
    "enable_model_summary": False,  # it counts the teacher as ours
    "log_every_n_steps": 10,
    "use_distributed_sampler": False,  # our batches are split over processes already
}
OPTIONS = {
    "run": str | None,
    "runs": str,
    "resume": bool,
    "wandb": Literal["offline", "online", "disabled"],
    "output": str | None,
    "quick": bool,
}


def run(arguments: list[str]) -> int:
    """Run one verb and return its exit status."""
    from slimlit.errors import shortly
    from slimlit.quiet import quietly

    with quietly(), shortly(arguments) as outcome:
        SlimCLI(arguments)
    return outcome.status


class SlimCLI(LightningCLI):
    """``fit validate test predict`` and ours; a verb other than ``fit``, and ``fit --resume``, read the run's own config."""

    def __init__(self, arguments: list[str], has_folder: bool = False) -> None:
        self.asked = Asked.read(arguments)
        self.has_folder = has_folder  # made for this run, with its plan
        self.run: Run
        self._scratch: tempfile.TemporaryDirectory[str] | None = None
        strict = {"exit_on_error": False, "allow_abbrev": False}
        example = f"example: {EXAMPLES[self.asked.verb]}"
        super().__init__(
            Task,
            LightningDataModule,
            save_config_callback=None,
            trainer_class=VerbsTrainer,
            trainer_defaults=TRAINER_DEFAULTS,
            seed_everything_default=0,
            parser_kwargs={**strict, self.asked.verb: {**strict, "description": example}},
            subclass_mode_model=True,
            subclass_mode_data=True,
            args=self.asked.complete(),
            auto_configure_optimizers=False,
            load_from_checkpoint_support=False,
        )

    def subcommands(self) -> dict[str, set[str]]:  # type: ignore[override]
        """The verb asked for; parsers of the others would take a quarter of a second and help nobody."""
        return {self.asked.verb: LightningCLI.subcommands().get(self.asked.verb, set())}

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add what is ours: the run and where its numbers go."""
        parser.add_argument(
            "--run", type=OPTIONS["run"], default=None, help="name of the run; default: the config's name"
        )
        parser.add_argument("--runs", type=str, default="runs", help="folder that holds the runs")
        parser.add_argument("--resume", action="store_true", help="continue the run from its last checkpoint")
        parser.add_argument("--wandb", type=OPTIONS["wandb"], default="offline", help="how W&B records the run")
        parser.add_argument(
            "--output",
            type=OPTIONS["output"],
            default=None,
            help="file that predict writes (JSON lines), or explain (a page); folder of an export",
        )
        if self.asked.verb == "bench":
            parser.add_argument(
                "--quick", action="store_true", help="a coarse answer in seconds: short texts, one thread, few turns"
            )
        parser.add_lightning_class_args(RunDirectory, "checkpoint")
        if self.asked.verb == "explain":
            from slimlit.explainer.verb import add_options

            add_options(parser)

    def parse_arguments(self, parser: LightningArgumentParser, args: ArgsType) -> None:
        """Parse the arguments, whatever ``sys.argv`` holds."""
        assert isinstance(args, list)
        self.config = parser.parse_args(args)

    def _parse_ckpt_path(self) -> None:
        """Nothing: a checkpoint never changes what the command line says."""

    def before_instantiate_classes(self) -> None:
        """Find the run's directory; refuse to overwrite one."""
        settings = self.config[self.subcommand]
        name = settings.run or self.asked.config_name() or settings.model.class_path.rsplit(".", 1)[-1]
        self.run = runs.place(name, settings.runs)
        if settings.trainer.fast_dev_run:
            self._scratch = tempfile.TemporaryDirectory()  # Lightning's one-batch check keeps nothing
            self.run = Run(Path(self._scratch.name) / self.run.name)
        settings.run, settings.runs = self.run.name, str(self.run.folder.parent)
        if self.subcommand == "fit" and not settings.resume and not self.has_folder and _is_first_process():
            self.run.refuse_existing()
        if self.subcommand == "predict":
            self.output = Path(settings.output or self.run.folder / "predictions.jsonl")
            if self.output.exists():
                raise ValueError(f"{self.output} exists\ngive another name: --output FILE")

    def _run_subcommand(self, subcommand: str) -> None:
        try:
            super()._run_subcommand(subcommand)
        finally:
            if self._scratch is not None:
                self._scratch.cleanup()
            elif self.trainer.is_global_zero and self.run.config.is_file():
                write_page(self.run)

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """Make the trainer, with everything it writes inside the run's directory."""
        settings = self._get(self.config_init, "trainer")
        settings["plugins"] = [*_listed(settings["plugins"]), CheckpointFile(self.config_text())]
        callbacks = settings["callbacks"] = _listed(settings["callbacks"])
        if settings["enable_progress_bar"] is not False and not any(isinstance(one, ProgressBar) for one in callbacks):
            callbacks.append(Progress())
        if settings["logger"] is None:
            settings["logger"] = self.loggers()
        try:
            return super().instantiate_trainer(default_root_dir=str(self.run.folder), **kwargs)
        except (
            ValueError,
            TypeError,
            RuntimeError,
            MisconfigurationException,
        ) as problem:  # Lightning checks its settings here
            raise ValueError(f"trainer: {str(problem).split('. In the current')[0]}") from problem

    def loggers(self) -> list[Logger]:
        """The metrics file, in ``fit``, and W&B, where it is on."""
        mode = self._get(self.config, "wandb")
        loggers: list[Logger] = [MetricsFile(self.run.metrics)] if self.subcommand == "fit" else []
        if mode != "disabled" and self.subcommand not in ("predict", "audit", "compress", "export", "bench"):
            from slimlit.callbacks.wandb_run import WandbRun

            loggers.append(WandbRun(self.run, mode, yaml.safe_load(self.config_text())))
        return loggers

    def config_text(self) -> str:
        """The resolved config as YAML, as ``fit --config`` takes it."""
        settings = self.config[self.subcommand].clone()
        settings.resume = False
        text: str = self._parser(self.subcommand).dump(settings, skip_unset=False)
        return text

    def fit(self, model: Task, datamodule: LightningDataModule, **settings: Any) -> None:
        """Train in the run's directory; a run that fails before its first step leaves nothing behind."""
        before = self.run.config.read_text() if self.run.config.exists() else None
        directory: RunDirectory = self._get(self.config_init, "checkpoint")
        if before is not None:
            _refuse_another_model(yaml.safe_load(before), yaml.safe_load(self.config_text()))
        if self._get(self.config, "resume"):
            if self.run.last.exists():
                settings["ckpt_path"] = str(self.run.last)
            elif _is_first_process():
                MetricsFile(self.run.metrics).keep_before(0)  # nothing was saved yet: from the beginning
        try:
            if _is_first_process():
                runs.write(self.run.config, self.config_text())
            self.trainer.fit(model, datamodule=datamodule, **settings)
        except BaseException:
            for logger in self.trainer.loggers:
                with suppress(OSError):  # a disk that is full is what stopped it
                    logger.finalize("failed")
            if self.trainer.is_global_zero:
                if self.trainer.global_step > directory.first_step:
                    print(f"\nthe run is kept; continue it: {self.run.resume_command()}", file=sys.stderr)
                elif before is None:
                    shutil.rmtree(self.run.folder, ignore_errors=True)
                    with suppress(OSError):  # other runs are there
                        self.run.folder.parent.rmdir()
                else:
                    runs.write(self.run.config, before)
            raise
        if self.trainer.is_global_zero and self._scratch is None:
            print(f"\nrun: {self.run.folder}, {self.trainer.global_step} steps")
            if directory.best is not None:
                print(f"best {directory.monitor}: {directory.best:.4f} at step {directory.best_step}")
            print(
                f"student: {self.run.student}\npage: {self.run.page}\ntest it: slimlit test --run {self.run.short_name}"
            )

    def validate(self, model: Task, datamodule: LightningDataModule, **settings: Any) -> None:
        """Score the run's student on the validation texts."""
        self._score("validate", model, datamodule, **settings)

    def test(self, model: Task, datamodule: LightningDataModule, **settings: Any) -> None:
        """Score the run's student on the test texts."""
        self._score("test", model, datamodule, **settings)

    def _score(self, verb: str, model: Task, datamodule: LightningDataModule, **settings: Any) -> None:
        settings["verbose"] = False
        score = self.trainer.validate if verb == "validate" else self.trainer.test
        scores = {
            name: value for part in score(model, datamodule=datamodule, **settings) for name, value in part.items()
        }
        if self.trainer.is_global_zero:
            report = self.run.reports / f"{verb}.json"
            runs.write(report, json.dumps(scores, indent=2) + "\n")
            self._account(verb, datamodule)
            width = max(map(len, scores), default=0)
            print("\n" + "\n".join(f"{name:{width}}  {value:.4f}" for name, value in scores.items()))
            print(f"report: {report}, {self.run.page}")

    def predict(self, model: Task, datamodule: LightningDataModule, **settings: Any) -> None:
        """Write what the student says of each text."""
        num_lines = predict_file(self.trainer, model, datamodule, self.output, **settings)
        source = getattr(datamodule, "sources", {}).get("predict") or type(datamodule).__name__
        write_origin(self.output, self.run, str(source), num_lines)
        self._account("predict", datamodule)
        print(f"\n{num_lines} texts answered: {self.output}")

    def audit(self, model: Task, datamodule: LightningDataModule, max_examples: int, seed: int) -> None:
        """Attack the run, write what was found, and end with status 1 where it refutes what the ledger claims."""
        if not isinstance(datamodule, TextClassification):
            raise ValueError(
                f"audit reads labelled texts, and {type(datamodule).__name__} has none\nexpected TextClassification"
            )
        if max_examples < 1:
            raise ValueError(f"--max_examples is {max_examples}; expected 1 or more texts of each side")
        if seed < 0:
            raise ValueError(f"--seed is {seed}; expected 0 or more")
        from slimlit.auditor import audit_run, draw_audit

        device = self.trainer.strategy.root_device
        config = yaml.safe_load(self.run.config.read_text())
        found = audit_run(self.run, datamodule, config, device, max_examples, seed)
        runs.write(self.run.reports / "audit.json", json.dumps(found.report(), indent=2) + "\n")
        runs.write(self.run.reports / "audit.svg", draw_audit(found))
        files = ", ".join(str(self.run.reports / name) for name in ("audit.json", "audit.svg"))
        print(f"\n{found.table()}\nreport: {files}, {self.run.page}")
        if found.is_refuted:
            raise SystemExit(1)

    def explain(self, model: Task, datamodule: LightningDataModule) -> None:
        """Write the reasons of what the student says, and the page that shows them."""
        from slimlit.explainer.verb import explain, read_options

        config = yaml.safe_load(self.run.config.read_text())
        explain(self.run, model, datamodule, read_options(self.config[self.subcommand]), self.trainer, config)

    def compress(self, model: Task, datamodule: LightningDataModule, to: str, **asked: Any) -> None:
        """Choose what stays of the run, and make a run of it: by ``fit``, of no epoch where none is asked for."""
        if not isinstance(datamodule, TextModule):
            raise ValueError(f"compress reads texts, and {type(datamodule).__name__} is no data module of slimlit's")
        from slimlit.compress.choosing import Shares
        from slimlit.compress.report import show
        from slimlit.compressor import Compression, compress_run

        shares = Shares(*(asked.pop(name) for name in ("heads", "feed_forward", "hidden", "layers")))
        new = runs.place(to, str(self.run.folder.parent))
        new.clear_plan()
        new.refuse_existing("--to")
        compression = Compression(new, shares, teacher=asked.pop("teacher") or str(self.run.folder), **asked)
        mode, device = self._get(self.config, "wandb"), self.trainer.strategy.root_device
        try:
            with ended_by_sigterm():
                config, report = compress_run(self.run, compression, model, datamodule, device)
                print(f"\n{show(report)}\n")
                SlimCLI(["fit", "--config", config, "--run", str(new.folder), "--wandb", mode], has_folder=True)
            sizes = [sum(file.stat().st_size for file in one.student.glob("*.safetensors")) for one in (self.run, new)]
            runs.write(new.reports / "compress.json", json.dumps({**report, "file_bytes": sizes}, indent=2) + "\n")
            print(f"model.safetensors: {sizes[0] / 1e6:.1f} MB before, {sizes[1] / 1e6:.1f} MB now")
        except BaseException:
            if not new.config.is_file():  # else its fit said that it is kept
                shutil.rmtree(new.folder, ignore_errors=True)
            raise

    def export(self, model: Task, datamodule: LightningDataModule, **settings: Any) -> None:
        """Write the student for a target, and end with status 1 where it does not say the same there."""
        if not isinstance(datamodule, TextModule):
            raise ValueError(f"export checks on texts, and {type(datamodule).__name__} has none\nexpected a TextModule")
        from slimlit.exporter import Wish, export_run

        output = self._get(self.config, "output")
        card, place = export_run(self.run, model, datamodule, Wish(**settings, output=output))
        print(f"\n{card.table()}")
        if card.notes:
            print("\n".join(card.notes), file=sys.stderr)
        if card.faults:
            print("\n".join([f"\n{card.name} is not kept:", *card.faults]), file=sys.stderr)
            raise SystemExit(1)
        print(
            f"\nwritten: {place}\nreport: {self.run.reports / f'export-{card.name}.json'}, {self.run.reports / 'exports.md'}"
        )

    def bench(self, model: Task, datamodule: LightningDataModule, watts: float) -> None:
        """Measure the run's teacher, student and exports, each in a process of its own."""
        if not isinstance(datamodule, TextModule):
            raise ValueError(f"bench reads texts, and {type(datamodule).__name__} has none\nexpected a TextModule")
        if not 0 < watts < 1000:
            raise ValueError(f"--watts is {watts}; expected the power of one busy core, above 0 and below 1000")
        from slimlit.bencher import bench_run

        config = yaml.safe_load(self.run.config.read_text())
        print("\n" + bench_run(self.run, model, datamodule, config, self._get(self.config, "quick"), watts))

    def _account(self, verb: str, datamodule: LightningDataModule) -> None:
        """Write what was read for the verb, and say what was left out of it and what was cut."""
        if not isinstance(datamodule, Reporting):
            return
        report = self.run.reports / f"data-{verb}.json"
        runs.write(report, json.dumps(datamodule.report, indent=2, ensure_ascii=False) + "\n")
        for name, part in datamodule.report.items():
            counts = part if isinstance(part, dict) else {}
            left_out = {kind: counts.get(f"{kind} rows left out", 0) for kind in ("empty", "broken")}
            if any(left_out.values()):
                print(f"\n{name}: {left_out['empty']} empty and {left_out['broken']} broken rows left out: {report}")
            others = [kind for kind in counts if re.search(r"\bcut\b|left out:", kind) and counts[kind]]
            if others:
                print(f"\n{name}: {', '.join(f'{counts[kind]} {kind}' for kind in others)}: {report}")


def _refuse_another_model(before: dict[str, Any], now: dict[str, Any]) -> None:
    """A run is resumed with the model it began with; its weights and its optimizer's state fit no other.

    Raises:
        ValueError: another one was asked for.
    """
    for name in _differing(before.get("model"), now.get("model"), "model"):
        raise ValueError(
            f"{name} is not what this run began with\nresume it without that, or start another run: --run NAME"
        )


def _differing(one: Any, other: Any, name: str) -> Iterator[str]:
    """The names of the settings in which two configs differ."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in {**one, **other}:
            yield from _differing(one.get(key), other.get(key), f"{name}.{key}")
    elif one != other:
        yield name


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list) else [value]


def _is_first_process() -> bool:
    return cast(Any, rank_zero_only).rank in (None, 0)
