"""Maps of questions: each method's, tested against random orders beside it; the teacher's; the exact shares; attention."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float
from torch import Tensor

from slimlit.explain.exam import Faithfulness, faithfulness, is_default, rank_correlation
from slimlit.explain.method import Method
from slimlit.explain.question import answer, removable
from slimlit.explain.records import Answer, AttentionPart, Map, Shares, TeacherView, Tested
from slimlit.explain.words import map_between_words
from slimlit.explainer.asked import Asked, Chunk, chunks, on_device, stack, to_device, units_of
from slimlit.models import PreTrainedModel, read
from slimlit.models.attention import mapped_attention
from slimlit.models.network import Kind
from slimlit.models.tokenizers import Tokenizer, special_ids

SHARES, NUM_RANDOM = (0.1, 0.3), 3  # of the words taken away or kept in the test of one map; random orders beside it
_NUM_LIKELY = 5
_NAMES = {"encoder": "attention", "decoder": "attention to what came before", "cross": "attention to the text"}


@dataclass(frozen=True)
class Networks:
    """Whose answers are explained, by which methods, and the teacher beside it where there is one."""

    student: PreTrainedModel
    teacher: PreTrainedModel | None
    kind: Kind
    tokenizer: Tokenizer
    labels: Sequence[str]
    methods: Mapping[str, Method]
    shares: Mapping[str, Method] = field(default_factory=dict)  # pooling weights, and their shares of the logit

    @property
    def device(self) -> torch.device:
        """Where they are."""
        found: torch.device = self.student.device
        return found

    @property
    def pad(self) -> int:
        """The number of the padding token."""
        return int(self.tokenizer.pad_token_id or 0)

    @property
    def blank(self) -> int | None:
        """What is read in the stead of a word taken away."""
        return blank_of(self.kind, self.tokenizer)

    def named(self, number: int) -> str:
        """A class, or a word of the vocabulary."""
        if self.labels:
            return self.labels[number]
        text: str = self.tokenizer.decode([number], clean_up_tokenization_spaces=False)
        return text.strip() or repr(text)[1:-1]


def blank_of(kind: Kind, tokenizer: Tokenizer) -> int | None:
    """What is read in the stead of a word taken away where a place of the text is asked, which else would know itself."""
    is_of_word = kind in ("token_classification", "masked_lm")
    return int(tokenizer.mask_token_id) if is_of_word and tokenizer.mask_token_id is not None else None


def answer_all(networks: Networks, examples: Sequence[Asked]) -> list[list[Answer]]:
    """The answers of each example, in the order of its questions, with their maps."""
    found: dict[tuple[int, int], Answer] = {}
    for chunk in chunks(examples, networks.kind, networks.pad):
        found |= dict(zip(chunk.where, _answers(networks, examples, on_device(chunk, networks.device)), strict=True))
    return [
        [found[number, question] for question in range(len(asked.questions))] for number, asked in enumerate(examples)
    ]


def _answers(networks: Networks, examples: Sequence[Asked], chunk: Chunk) -> Iterator[Answer]:
    student, batch, question = networks.student, chunk.batch, chunk.question
    asked = [examples[number] for number, _ in chunk.where]
    may_go = removable(batch, question, special_ids(networks.tokenizer))
    units = units_of(asked, batch).to(may_go.device)
    heats = {name: method(student, batch, question).detach().float() for name, method in networks.methods.items()}
    tests = faithfulness(student, batch, question, heats, may_go, units, networks.blank, SHARES, NUM_RANDOM)
    defaults = is_default(student, batch, question, may_go, units, networks.blank)
    with torch.no_grad():
        logits = answer(student, batch, question)
    probabilities = torch.softmax(logits, dim=-1)
    shares = [
        heats[name] if name in heats else method(student, batch, question).detach().float()
        for name, method in networks.shares.items()
    ]
    teacher = _teacher(networks, chunk)
    for row, (example, (_, number)) in enumerate(zip(asked, chunk.where, strict=True)):
        one = example.questions[number]
        maps = [
            Map(name, _by_word(heat[row], example, batch["input_ids"].shape[1]).tolist(), _tested(tests[name], row))
            for name, heat in heats.items()
        ]
        exact = None
        if shares:
            weights, parts = (_by_word(part[row], example, batch["input_ids"].shape[1]).tolist() for part in shares)
            bias = student.classifier.bias.detach()
            exact = Shares(weights, parts, float(bias[one.number]), float(logits[row, one.number]))
        yield Answer(
            one.says,
            float(probabilities[row, one.number]),
            _likely(networks, probabilities[row]),
            bool(defaults[row]),
            maps,
            one.expected,
            one.word,
            exact,
            None if teacher is None else _beside(networks, teacher, row, example, one.number, maps, may_go[row].cpu()),
        )


def _tested(found: Faithfulness, row: int) -> Tested:
    own, random = found.own["probability"], found.random["probability"]
    parts = (own.comprehensiveness, own.sufficiency, random.comprehensiveness, random.sufficiency)
    return Tested(*(float(part[row]) for part in parts))


def _likely(networks: Networks, probabilities: Float[Tensor, " classes"]) -> list[tuple[str, float]]:
    values, numbers = probabilities.topk(min(_NUM_LIKELY, len(probabilities)))
    return [(networks.named(number), value) for number, value in zip(numbers.tolist(), values.tolist(), strict=True)]


@dataclass(frozen=True)
class _Theirs:
    probabilities: Float[Tensor, "batch classes"]
    heats: dict[str, Float[Tensor, "batch inputs"]]
    num_tokens: int


def _teacher(networks: Networks, chunk: Chunk) -> _Theirs | None:
    """What the teacher says of the same questions, by those methods that can read it."""
    if networks.teacher is None:
        return None
    with torch.no_grad():
        logits = answer(networks.teacher, chunk.batch, chunk.question)
    heats = {}
    for name, method in networks.methods.items():
        try:
            heats[name] = method(networks.teacher, chunk.batch, chunk.question).detach().float()
        except ValueError:  # it has another head
            continue
    return _Theirs(torch.softmax(logits, dim=-1), heats, chunk.batch["input_ids"].shape[1])


def _beside(
    networks: Networks, teacher: _Theirs, row: int, example: Asked, number: int, maps: Sequence[Map], may_go: Tensor
) -> TeacherView:
    best = int(teacher.probabilities[row].argmax())
    num_read, num_written = example.lengths
    movable = torch.cat([may_go[:num_read], may_go[teacher.num_tokens : teacher.num_tokens + num_written]])
    words = [place for place, word in enumerate(example.words) if any(movable[token] for token in word.tokens)]
    theirs, correlations = [], []
    for ours in maps:
        if ours.method not in teacher.heats:
            continue
        heat = _by_word(teacher.heats[ours.method][row], example, teacher.num_tokens)
        theirs.append(Map(ours.method, heat.tolist()))
        pair = np.asarray(ours.heat)[words], heat[words]
        correlations.append(rank_correlation(*pair) if len(words) > 1 else None)
    said = teacher.probabilities[row]
    return TeacherView(networks.named(best), float(said[best]), float(said[number]), theirs, correlations)


def _by_word(heat: Float[Tensor, " inputs"], example: Asked, num_tokens: int) -> npt.NDArray[np.float64]:
    """The sums over the tokens of each word; the decoder's inputs stand behind the padding of the text."""
    num_read, num_written = example.lengths
    own = torch.cat([heat[:num_read], heat[num_tokens : num_tokens + num_written]]).double().cpu().numpy()
    return np.asarray([own[list(word.tokens)].sum() for word in example.words])


def attention_of(networks: Networks, asked: Asked) -> list[AttentionPart]:
    """Where the student looked in an example, layer by layer, word to word."""
    batch = to_device(stack([asked.batch], networks.pad), networks.device)
    needs = frozenset({"words"}) if networks.kind in ("causal_lm", "masked_lm", "seq2seq_lm") else frozenset()
    with torch.no_grad(), mapped_attention(networks.student) as maps:
        read(networks.student, batch, needs)
        found = {kind: [layer[0].float().cpu() for layer in layers] for kind, layers in maps.items()}
    num_read = asked.lengths[0]
    split = next((at for at, word in enumerate(asked.words) if word.tokens[0] >= num_read), len(asked.words))
    text = asked.words[:split]
    later = [replace(word, tokens=tuple(token - num_read for token in word.tokens)) for word in asked.words[split:]]
    both = {"encoder": (text, text), "cross": (later, text), "decoder": (later, later) if later else (text, text)}
    ends = {id(text): (0, split), id(later): (split, len(asked.words))}
    parts = []
    for kind, layers in found.items():
        rows, columns = both[kind]
        weights = torch.stack([map_between_words(layer, rows, columns) for layer in layers]).numpy()
        parts.append(AttentionPart(_NAMES[kind], weights, ends[id(rows)], ends[id(columns)]))
    return parts
