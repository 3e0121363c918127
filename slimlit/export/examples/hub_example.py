"""Reads texts with the model in this folder: torch and transformers; nothing else, and no network.

pip install torch transformers
python use.py "a text" "another"
"""

import json
import os
import sys
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import torch
import transformers

FOLDER = Path(__file__).parent
FACTS = json.loads((FOLDER / "slimlit.json").read_text(encoding="utf-8"))
HEADS = {
    "sequence_classification": "AutoModelForSequenceClassification",
    "token_classification": "AutoModelForTokenClassification",
    "masked_lm": "AutoModelForMaskedLM",
    "causal_lm": "AutoModelForCausalLM",
    "seq2seq_lm": "AutoModelForSeq2SeqLM",
}
is_ours = (FOLDER / "modeling_slimlit.py").is_file()  # read it before you trust it
tokenizer = transformers.AutoTokenizer.from_pretrained(FOLDER, trust_remote_code=is_ours)
model = getattr(transformers, HEADS[FACTS["kind"]]).from_pretrained(FOLDER, trust_remote_code=is_ours).eval()


@torch.inference_mode()
def main(texts: list[str]) -> None:
    """Print what the model answers to each text."""
    for text in texts:
        inputs = tokenizer([text], truncation=True, max_length=FACTS["max_length"], return_tensors="pt")
        words = tokenizer.convert_ids_to_tokens(inputs["input_ids"][0])
        if FACTS["kind"] in ("causal_lm", "seq2seq_lm"):
            inputs.pop("token_type_ids", None)
            written = model.generate(**inputs, max_new_tokens=40, do_sample=False)
            print(tokenizer.decode(written[0], skip_special_tokens=True))
            continue
        answer = model(**inputs)
        if FACTS["kind"] == "sequence_classification":
            odds = answer.logits[0].softmax(dim=-1)
            print(f"{FACTS['labels'][int(odds.argmax())]}  {float(odds.max()):.4f}")
            if "pooling_weights" in answer:
                weights = answer["pooling_weights"][0].mean(dim=0).tolist()
                print("  read:", " ".join(f"{word} {weight:.2f}" for word, weight in zip(words, weights, strict=True)))
        else:
            said = answer.logits[0].argmax(dim=-1).tolist()
            names = FACTS["labels"] or None
            print(
                " ".join(
                    f"{word}/{names[one] if names else tokenizer.convert_ids_to_tokens(one)}"
                    for word, one in zip(words, said, strict=True)
                )
            )


if __name__ == "__main__":
    main(sys.argv[1:] or ["a text to read"])
