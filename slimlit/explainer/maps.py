"""Maps of questions: each method's, tested against random orders beside it; the teacher's; the exact shares; attention."""

from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from slimlit.explain.exam import Faithfulness, faithfulness, is_default
from slimlit.explain.methods.pooling import shares_of_asked
from slimlit.explain.question import removable
from slimlit.explain.records import Answer, AttentionPart, Map, Shares, Tested
from slimlit.explainer.asked import Asked, Chunk, by_word, chunks, of_specials, on_device, own_inputs, units_of
from slimlit.explainer.looking import Look, attention_parts, heats_of, look
from slimlit.explainer.networks import Networks
from slimlit.explainer.teacher_view import ask_teacher, view
from slimlit.models.tokenizers import special_ids

SHARES, NUM_RANDOM = (0.2,), 12  # of the words taken away or kept in the test of one map; random orders beside it
_NUM_LIKELY = 5


def answer_all(networks: Networks, examples: Sequence[Asked]) -> list[tuple[list[Answer], list[AttentionPart]]]:
    """The answers of each example, in the order of its questions, with their maps; and where the student looked in its text."""
    found: dict[tuple[int, int], Answer] = {}
    looked: dict[int, list[AttentionPart]] = {}
    for chunk in chunks(examples, networks.kind, networks.pad):
        here = on_device(chunk, networks.device)
        seen = look(networks.student, here.batch, here.question, with_maps=True)
        found |= dict(zip(chunk.where, _answers(networks, examples, here, seen), strict=True))
        for row, (number, _) in enumerate(chunk.where):
            if number not in looked:
                looked[number] = attention_parts(seen, row, examples[number])
    return [
        ([found[number, question] for question in range(len(asked.questions))], looked.get(number, []))
        for number, asked in enumerate(examples)
    ]


def _answers(networks: Networks, examples: Sequence[Asked], chunk: Chunk, seen: Look) -> Iterator[Answer]:
    student, batch, question = networks.student, chunk.batch, chunk.question
    asked = [examples[number] for number, _ in chunk.where]
    may_go = removable(batch, question, special_ids(networks.tokenizer))
    num_tokens = batch["input_ids"].shape[1]
    units = units_of(asked, batch).to(may_go.device)
    heats = heats_of(student, networks.methods, batch, question, seen)
    tests = faithfulness(student, batch, question, heats, may_go, units, networks.blank, SHARES, NUM_RANDOM)
    known = next(iter(tests.values())).own["probability"] if tests else None
    defaults = is_default(student, batch, question, may_go, units, networks.blank, known=known)
    probabilities = torch.softmax(seen.logits, dim=-1)
    shares = seen.shares if networks.is_sum else None
    if shares is not None:
        shares = shares_of_asked(shares, batch, question)
    theirs = None if networks.teacher is None else ask_teacher(networks, examples, chunk)
    for row, (example, (_, number)) in enumerate(zip(asked, chunk.where, strict=True)):
        one = example.questions[number]
        maps = [_map(name, heat[row], example, num_tokens, tests[name], row) for name, heat in heats.items()]
        yield Answer(
            one.says,
            float(probabilities[row, one.number]),
            _likely(networks, probabilities[row]),
            bool(defaults[row]),
            maps,
            one.expected,
            one.word,
            None if shares is None else _exact(networks, shares[row], seen, row, example, one.number),
            None
            if theirs is None
            else view(networks, theirs, row, example, one, maps, _movable(may_go[row], example, num_tokens)),
        )


def _map(
    name: str, heat: Float[Tensor, " inputs"], example: Asked, num_tokens: int, test: Faithfulness, row: int
) -> Map:
    inputs = own_inputs(heat, example, num_tokens)
    tested = tested_of(test, row)
    heat_of_words = by_word(inputs, example.words).tolist()
    return Map(name, heat_of_words, tested, specials=of_specials(inputs, example.words))


def tested_of(test: Faithfulness, row: int) -> Tested:
    """The test of one map, in probability."""
    own, mean = test.own["probability"], test.random["probability"]
    drawn = [one["probability"] for one in test.draws]
    return Tested(
        float(own.comprehensiveness[row]),
        float(own.sufficiency[row]),
        float(mean.comprehensiveness[row]),
        float(mean.sufficiency[row]),
        max(float(one.comprehensiveness[row] - one.sufficiency[row]) for one in drawn),
    )


def _exact(
    networks: Networks, share: Float[Tensor, " tokens"], seen: Look, row: int, example: Asked, number: int
) -> Shares:
    assert seen.pooling_weights is not None
    weights, parts = (
        by_word(own_inputs(part, example, len(share)), example.words).tolist()
        for part in (seen.pooling_weights[row], share.detach().float())
    )
    bias = networks.student.classifier.bias.detach()
    return Shares(weights, parts, float(bias[number]), float(seen.logits[row, number]))


def _likely(networks: Networks, probabilities: Float[Tensor, " classes"]) -> list[tuple[str, float]]:
    values, numbers = probabilities.topk(min(_NUM_LIKELY, len(probabilities)))
    return [(networks.named(number), value) for number, value in zip(numbers.tolist(), values.tolist(), strict=True)]


def _movable(may_go: Bool[Tensor, " inputs"], example: Asked, num_tokens: int) -> list[int]:
    """The words that can be taken away."""
    num_read, num_written = example.lengths
    own = torch.cat([may_go[:num_read], may_go[num_tokens : num_tokens + num_written]]).tolist()
    return [place for place, word in enumerate(example.words) if any(own[token] for token in word.tokens)]
