"""Models and data sets of the Hugging Face hub, fetched into its own cache, where every later load finds them without a network."""

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path

_NAME = re.compile(r"(?P<kind>datasets/)?(?P<repo>\w[\w.-]*/\w[\w.-]*)(@(?P<revision>[\w./-]+))?")
_MODEL_FILES = ["*.safetensors", "*.json", "*.txt", "*.model", "*.jinja", "*.md", "LICENSE*"]
_PYTORCH_FILES = ["pytorch_model*.bin"]


def parse(name: str) -> tuple[tuple[str, ...], str, str | None]:
    """The kinds of repository to look for, the repository, and the revision in ``[datasets/]ORG/NAME[@REVISION]``.

    Raises:
        ValueError: the name has another form.
    """
    match = _NAME.fullmatch(name)
    if match is None or match["repo"].startswith("datasets/"):
        raise ValueError(f"no hub name: {name!r}\nexpected ORG/NAME, datasets/ORG/NAME, or one of them with @REVISION")
    return ("dataset",) if match["kind"] else ("model", "dataset"), match["repo"], match["revision"]


def fetch_from_hub(name: str) -> Path:
    """Fetch a model, or else a data set, and give back the folder of its files, named by its commit.

    Guarantees:
        - of a model only weights, settings, tokenizer and texts are fetched: safetensors where there are any, else
          PyTorch's files; no code, no copies for other libraries;
        - what was fetched once is found again without a network.

    Raises:
        ValueError: the hub cannot be reached and nothing was fetched before, or it has no such repository.
    """
    from huggingface_hub import errors

    network = (errors.OfflineModeIsEnabled, errors.LocalEntryNotFoundError, errors.HTTPError)  # type: ignore[attr-defined]  # httpx's or httpx2's
    kinds, repo, revision = parse(name)
    for kind in kinds:
        try:
            return _fetch(kind, repo, revision)
        except errors.GatedRepoError as problem:
            raise ValueError(
                f"{repo} is open only to those who accepted its terms\naccept them on its page and type: hf auth login"
            ) from problem
        except errors.RevisionNotFoundError as problem:
            raise ValueError(f"{repo} has no revision {revision!r}\nleave out @{revision} for the newest") from problem
        except errors.RepositoryNotFoundError:
            continue
        except network as problem:
            if (folder := _kept(kinds, repo, revision)) is not None:
                print(f"{name}: the hub does not answer; fetched before", flush=True)
                return folder
            offline = isinstance(problem, errors.OfflineModeIsEnabled)
            cause = "HF_HUB_OFFLINE is set" if offline else str(problem).strip().split("\n")[0][:150]
            raise ValueError(
                f"{name} is not here, and the hub does not give it: {cause}\n"
                "fetch it where there is a network and copy its folder here, or take a bundled one: slimlit download"
            ) from problem
    raise ValueError(
        f"the hub has no {' or '.join(kinds)} {repo!r} that is open to you\ncheck the name; for a private one type: hf auth login"
    )


def _fetch(kind: str, repo: str, revision: str | None) -> Path:
    from huggingface_hub import HfApi, snapshot_download

    ask = HfApi().dataset_info if kind == "dataset" else HfApi().model_info
    info = ask(repo, revision=revision, files_metadata=True)
    sizes = {file.rfilename: file.size or 0 for file in info.siblings or ()}
    safe = any("/" not in file and file.endswith(".safetensors") for file in sizes)
    wanted, unwanted = _patterns(kind, safe)
    chosen = [
        size
        for file, size in sizes.items()
        if any(fnmatchcase(file, one) for one in wanted) and not any(fnmatchcase(file, one) for one in unwanted)
    ]
    print(f"fetching the {kind} {repo}: {len(chosen)} files, {sum(chosen) / 2**20:.0f} MiB", flush=True)
    return Path(
        snapshot_download(repo, repo_type=kind, revision=revision, allow_patterns=wanted, ignore_patterns=unwanted)
    )


def _patterns(kind: str, safe: bool) -> tuple[list[str], list[str]]:
    """Which files to fetch and which to leave: all of a data set; of a model no subfolders, which are for other libraries."""
    if kind == "dataset":
        return ["*"], []
    return _MODEL_FILES + ([] if safe else _PYTORCH_FILES), ["*/*"]


def _kept(kinds: Iterable[str], repo: str, revision: str | None) -> Path | None:
    """The folder of an earlier fetch that was not broken off."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    for kind in kinds:
        for safe in (True, False):
            wanted, unwanted = _patterns(kind, safe)
            try:
                folder = snapshot_download(
                    repo, repo_type=kind, revision=revision, allow_patterns=wanted, ignore_patterns=unwanted,
                    local_files_only=True,
                )  # fmt: skip
            except LocalEntryNotFoundError:
                break
            if kind == "dataset" or not safe or any(Path(folder).glob("*.safetensors")):
                return Path(folder)
    return None
