"""Networks of YAML that are made of a model by a plan: all that the plan keeps, or its words alone."""

from pathlib import Path

from transformers import PreTrainedConfig, PreTrainedModel

from slimlit.compress.configurations import smaller
from slimlit.compress.plans import Plan
from slimlit.compress.pruning import prune
from slimlit.models import Head, Network, Pretrained


class Pruned(Network):
    """A model with the parts that a plan keeps: the student of ``slimlit compress``.

    Args:
        source: the model, by run, bundled name, folder or hub name.
        plan: the folder of the plan, with its tokenizer where it keeps some words only.
    """

    def __init__(self, source: str, plan: str) -> None:
        self.source = source
        self.plan = plan
        self.whole = Pretrained(source)

    @property
    def kept(self) -> Plan:
        """What stays."""
        return Plan.load(Path(self.plan))

    def config(self, head: Head, teacher: PreTrainedConfig | None = None) -> PreTrainedConfig:
        """The source's configuration with smaller numbers.

        Raises:
            ValueError: the plan does not fit the source.
        """
        return smaller(self.whole.config(head), self.kept)

    def build(self, head: Head, teacher: PreTrainedModel | None = None) -> PreTrainedModel:
        """What the plan keeps of the source."""
        return prune(self.whole.build(head), self.kept)

    def made_of(self) -> list[str]:
        """The source, and the plan, whose choices may have read texts."""
        return [self.source, self.plan]

    @property
    def tokenizer_source(self) -> str:
        """The plan where it has a tokenizer of fewer words, else the source."""
        return self.source if self.kept.words is None else self.plan

    def is_trained_for(self, head: Head) -> bool:
        """As the source."""
        return self.whole.is_trained_for(head)

    def known_labels(self, head: Head) -> list[str] | None:
        """As the source."""
        return self.whole.known_labels(head)


class FewerWords(Pruned):
    """A model that is whole but for words, by the same plan: a teacher that reads the tokens of its smaller student.

    Guarantees:
        - of tokens that the plan keeps it says what the whole model says of the same tokens under their old numbers.

    Args:
        source: the model, by run, bundled name, folder or hub name.
        plan: the folder of the plan, with its tokenizer.
    """

    @property
    def kept(self) -> Plan:
        """The words that stay."""
        return Plan.load(Path(self.plan)).words_alone()
