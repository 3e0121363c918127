from pathlib import Path

import pytest
import torch
from torch import nn

from slimlit.models import Head, Pretrained, PreTrainedModel, SequenceClassifier
from slimlit.models.seen_words import SeenWords, train_all_words, train_seen_words

SEEN = [5, 7, 8, 11]


def network(source: Path) -> PreTrainedModel:
    torch.manual_seed(0)
    return Pretrained(str(source), pooling="attention").build(Head(["a", "b"])).eval()


def train(made: PreTrainedModel, weight_decay: float) -> PreTrainedModel:
    """Some steps on seen words and padding; dropout off, so that both have the same."""
    made.train()
    for module in made.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    optimizer = torch.optim.AdamW(made.parameters(), lr=0.01, weight_decay=weight_decay, fused=True)
    numbers = torch.Generator().manual_seed(1)
    for _ in range(5):
        ids = torch.tensor(SEEN)[torch.randint(len(SEEN), (3, 6), generator=numbers)]
        ids[0, 4:] = 0
        loss = made(input_ids=ids, attention_mask=(ids > 0).long()).logits.square().sum()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return made.eval()


def in_part(made: PreTrainedModel, seen: list[int] = SEEN) -> PreTrainedModel:
    train_seen_words(made, seen)
    return made


def test_training_is_that_of_the_whole_table_bit_for_bit(toy_model: Path) -> None:
    whole, part = train(network(toy_model), 0.0), train(in_part(network(toy_model)), 0.0)
    expected, found = whole.state_dict(), part.state_dict()
    assert list(found) == list(expected)
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_decay_leaves_unseen_words_alone_and_treats_seen_ones_alike(toy_model: Path) -> None:
    before = network(toy_model).get_input_embeddings().weight.detach().clone()
    whole = train(network(toy_model), 0.1).get_input_embeddings().weight
    part = train(in_part(network(toy_model)), 0.1).get_input_embeddings().weight
    unseen = [word for word in range(len(before)) if word not in {*SEEN, 0}]
    assert torch.equal(part[SEEN], whole[SEEN])
    assert torch.equal(part[unseen], before[unseen])
    assert not torch.equal(whole[unseen], before[unseen])


def test_words_never_seen_are_read_in_eval_mode_and_refused_in_training(toy_model: Path) -> None:
    whole, part = network(toy_model), in_part(network(toy_model))
    ids = torch.arange(2, 20)[None]
    torch.testing.assert_close(part(input_ids=ids).logits, whole(input_ids=ids).logits, rtol=0, atol=0)
    with pytest.raises(IndexError, match="out of range"):
        part.train()(input_ids=ids)


def test_a_state_goes_from_one_kind_to_the_other_and_back(toy_model: Path) -> None:
    trained = train(in_part(network(toy_model)), 0.0)
    plain = network(toy_model)
    plain.load_state_dict(trained.state_dict())
    again = in_part(network(toy_model), [6])
    again.load_state_dict(plain.state_dict())
    ids = torch.tensor([[5, 6, 7, 12, 0]])
    assert torch.equal(plain(input_ids=ids).logits, trained(input_ids=ids).logits)
    assert torch.equal(again(input_ids=ids).logits, trained(input_ids=ids).logits)


def test_loading_a_state_leaves_the_table_it_was_made_of_alone(toy_model: Path) -> None:
    teacher = network(toy_model)
    table = teacher.get_input_embeddings()
    assert isinstance(table, nn.Embedding)
    before = table.weight.detach().clone()
    part = SeenWords(table, SEEN)
    part.load_state_dict({"weight": torch.zeros_like(before)})
    assert torch.equal(table.weight, before)


def test_undone_it_is_a_plain_network_that_can_be_saved(toy_model: Path, tmp_path: Path) -> None:
    trained = train(in_part(network(toy_model)), 0.0)
    ids = torch.tensor([[5, 6, 7, 12, 0]])
    expected = trained(input_ids=ids).logits
    train_all_words(trained)
    assert type(trained.get_input_embeddings()) is nn.Embedding
    assert trained.get_input_embeddings().padding_idx == 0
    assert all(weight.requires_grad for weight in trained.parameters())
    trained.save_pretrained(tmp_path)
    loaded = SequenceClassifier.from_pretrained(tmp_path).eval()
    assert torch.equal(loaded(input_ids=ids).logits, expected)


def test_the_optimizer_has_only_the_rows_it_trains(toy_model: Path) -> None:
    part = in_part(network(toy_model))
    sizes = [weight.shape for weight in part.parameters() if weight.requires_grad]
    assert (len(SEEN) + 1, part.config.hidden_size) in sizes  # and the padding's
    assert (part.config.vocab_size, part.config.hidden_size) not in sizes


def test_a_table_tied_to_the_output_is_refused() -> None:
    from transformers import BertConfig, BertForMaskedLM

    tied = BertForMaskedLM(
        BertConfig(vocab_size=30, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8)
    )
    with pytest.raises(ValueError, match="BertForMaskedLM is tied to the output layer"):
        train_seen_words(tied, SEEN)
