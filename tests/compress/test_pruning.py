"""What is taken away is gone from the matrices, and what said nothing is not missed."""

import copy
from pathlib import Path

import pytest
import torch

from slimlit.compress import Plan, prune
from slimlit.compress.layouts import layout_of, readers_of
from slimlit.compress.plans import Parts
from slimlit.models import PreTrainedModel
from slimlit.models.pretrained import quiet_files
from tests.compress.networks import IDS, MAKERS, make, run

NARROW = [
    "llama",
    "qwen3",
    "t5",
    "classifier",
    "distilbert-classifier",
]  # the others cannot say fewer heads of the same width
WORDS = [0, 1, 2, 3, 7, 8, 9, 11, 39, 20]


def whole(network: PreTrainedModel) -> Plan:
    parts = Parts.of(network.config)
    return Plan(
        {side: list(range(1, depth + 1)) for side, depth in parts.layers.items()},
        {key: list(range(parts.heads[key.split(".")[0]])) for key in parts.attentions()},
        {place.key("feed"): list(range(parts.feed_forward[place.side])) for place in parts.places()},
        None if network.config.model_type == "marian" else list(range(parts.hidden)),
        list(range(parts.words)),
    )


def silenced(network: PreTrainedModel, kept: dict[str, list[int]]) -> PreTrainedModel:
    """A copy in which the weights that read all other heads or units are zero."""
    layout, parts, quiet = layout_of(network.config), Parts.of(network.config), copy.deepcopy(network)
    for key, kind, reader in readers_of(quiet, layout):
        if key in kept:
            width = 1 if kind == "feed" else parts.head_dim
            columns = [number * width + place for number in kept[key] for place in range(width)]
            weight = reader.weight.data if layout.turned else reader.weight.data.T
            weight[[column for column in range(len(weight)) if column not in columns]] = 0.0
    return quiet


def some_heads(network: PreTrainedModel) -> dict[str, list[int]]:
    return {key: [2, 3] for key in Parts.of(network.config).attentions()}


def some_units(network: PreTrainedModel) -> dict[str, list[int]]:
    return {place.key("feed"): [place.number, 5, 6, 9, 11] for place in Parts.of(network.config).places()}


@pytest.mark.parametrize("name", MAKERS)
def test_removing_nothing_changes_nothing_to_the_bit(name: str) -> None:
    network = make(name)
    same = prune(network, whole(network))
    assert torch.equal(run(same), run(network))
    before, after = network.state_dict(), same.state_dict()
    assert all(torch.equal(before[weight], after[weight]) for weight in before)


@pytest.mark.parametrize("name", MAKERS)
def test_units_that_said_nothing_are_not_missed(name: str) -> None:
    network = make(name)
    quiet = silenced(network, some_units(network))
    small = prune(quiet, Plan(feed_forward=some_units(network)))
    assert set(Parts.of(small.config).feed_forward.values()) == {5}
    torch.testing.assert_close(run(small), run(quiet), atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", NARROW)
def test_heads_that_said_nothing_are_not_missed(name: str, tmp_path: Path) -> None:
    network = make(name)
    quiet = silenced(network, some_heads(network))
    small = prune(quiet, Plan(heads=some_heads(network)))
    assert small.num_parameters() < network.num_parameters()
    torch.testing.assert_close(run(small), run(quiet), atol=1e-5, rtol=0)
    with quiet_files():
        small.save_pretrained(tmp_path)
        loaded = type(small).from_pretrained(tmp_path).eval()
    torch.testing.assert_close(run(loaded), run(small), atol=1e-6, rtol=0)


@pytest.mark.parametrize("name", [name for name in MAKERS if name not in NARROW])
def test_fewer_heads_of_the_same_width_are_refused_where_no_config_can_say_it(name: str) -> None:
    network = make(name)
    with pytest.raises(ValueError, match="heads"):
        prune(network, Plan(heads=some_heads(network)))


@pytest.mark.parametrize("name", [name for name in MAKERS if name != "marian"])
def test_half_the_width_and_heads_is_a_stock_network_that_loads(name: str, tmp_path: Path) -> None:
    network = make(name)
    small = prune(network, Plan(heads=some_heads(network), hidden=list(range(0, 16, 2))))
    with quiet_files():
        small.save_pretrained(tmp_path)
        loaded = type(small).from_pretrained(tmp_path).eval()
    assert loaded.config.to_dict().get("head_dim") in (None, 4, 8)
    torch.testing.assert_close(run(loaded), run(small), atol=1e-6, rtol=0)


def test_words_that_may_not_be_written_and_those_that_are_favoured_keep_their_meaning_under_their_new_numbers() -> None:
    network = make("marian")
    settings = network.generation_config
    settings.suppress_tokens = [number for number in range(40) if number not in WORDS or number == 8]
    settings.bad_words_ids, settings.begin_suppress_tokens = [[0], [7, 9], [7, 5], [5]], [5]
    settings.sequence_bias, settings.forced_decoder_ids = {(11,): 2.0, (5,): 1.0}, [[1, 39], [2, 5]]
    small = prune(network, Plan(words=WORDS))
    ours = small.generation_config
    assert (ours.suppress_tokens, ours.begin_suppress_tokens) == ([WORDS.index(8)], None)
    assert ours.bad_words_ids == [[0], [WORDS.index(7), WORDS.index(9)]]
    assert ours.sequence_bias == [[[WORDS.index(11)], 2.0]]
    assert ours.forced_decoder_ids == [[1, WORDS.index(39)]]
    ids = torch.tensor([[3, 7, 9, 11, 2]])
    settings.forced_decoder_ids = ours.forced_decoder_ids = None  # of older versions: transformers 5 refuses it
    written = network.generate(input_ids=ids, max_new_tokens=6, num_beams=2)
    again = small.generate(
        input_ids=torch.tensor([[WORDS.index(one) for one in ids[0].tolist()]]), max_new_tokens=6, num_beams=2
    )
    assert [WORDS[number] for number in again[0].tolist()] == written[0].tolist()


@pytest.mark.parametrize("name", MAKERS)
def test_kept_words_are_answered_as_before_under_their_new_numbers(name: str) -> None:
    network = make(name)
    small = prune(network, Plan(words=WORDS))
    logits = run(small, torch.tensor([[WORDS.index(number) for number in IDS[0].tolist()]]))
    before = run(network)
    torch.testing.assert_close(logits, before[..., WORDS] if before.shape[-1] == 40 else before, atol=1e-6, rtol=0)


@pytest.mark.parametrize("name", ["bert", "llama", "t5", "bart"])
def test_a_layer_that_stays_is_the_one_it_was(name: str) -> None:
    network = make(name)
    layout = layout_of(network.config)
    small = prune(network, Plan(layers={side: [2] for side in Parts.of(network.config).layers}))
    theirs, compared = network.state_dict(), 0
    for key, weight in small.state_dict().items():
        found = layout.find_layer(key)
        if found is not None and "relative_attention_bias" not in key:
            start = key.removesuffix(found[1])
            origin = f"{start.removesuffix('0.')}1.{found[1]}"
            assert torch.equal(weight, theirs[origin])
            compared += 1
    assert compared > 8


def test_t5_keeps_the_same_heads_in_each_layer() -> None:
    heads = {f"{side}.{number}.self": [number, 0] for side in ("encoder", "decoder") for number in (1, 2)}
    with pytest.raises(ValueError, match="one table of distances"):
        prune(make("t5"), Plan(heads=heads))


def test_the_network_given_is_left_alone_and_no_random_number_is_used() -> None:
    network = make("classifier")
    before, state = copy.deepcopy(network.state_dict()), torch.random.get_rng_state()
    small = prune(network, Plan(feed_forward=some_units(network)))
    assert torch.equal(torch.random.get_rng_state(), state)
    torch.nn.init.zeros_(small.get_input_embeddings().weight)
    assert all(torch.equal(weight, before[name]) for name, weight in network.state_dict().items())


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        (Plan(heads={"layers.1.self": [0, 4], "layers.2.self": [0, 1]}), "asks for 4 of the heads of layers.1.self, and there are 4"),
        (Plan(heads={"layers.3.self": [0]}), "layers.3.self, and there are 0"),
        (Plan(layers={"layers": [3]}), "asks for 3 of the layers of its layers, and there are 2"),
        (Plan(feed_forward={"layers.1.feed": [1, 2], "layers.2.feed": [1]}), "keeps 1 feed-forward units in one layer and 2"),
        (Plan(words=[1, 1]), "names one twice of the words"),
        (Plan(hidden=[]), "keeps none of the hidden units"),
    ],
)  # fmt: skip
def test_a_plan_that_does_not_fit_is_told(plan: Plan, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        prune(make("classifier"), plan)


def test_a_plan_is_read_as_it_was_written(tmp_path: Path) -> None:
    plan = Plan({"layers": [1]}, {"layers.1.self": [0]}, hidden=[1, 2], words=[3])
    plan.save(tmp_path)
    assert Plan.load(tmp_path) == plan
    (tmp_path / "plan.json").write_text("{}{")
    with pytest.raises(ValueError, match=r"plan\.json is damaged"):
        Plan.load(tmp_path)
