"""Takes the exam of every method on each network given, then writes results.json, the pictures and the table."""

import argparse
import json
import time
from pathlib import Path

from experiments.explanations.subjects import Subject, classifier, tagger
from slimlit.explain.exam import Exam, draw_exam, examine, table_of
from slimlit.explain.methods import methods_for

HERE = Path(__file__).parent


def main() -> None:
    """Examine what is asked for; what results.json has already, stays."""
    parser = argparse.ArgumentParser(prog="python -m experiments.explanations", description=__doc__)
    parser.add_argument("--shared", type=Path, required=True, help="folder with sst2, zh_msra_ner, ...")
    parser.add_argument("--sst2", type=Path, help="a run of slimlit.tasks.SequenceClassification on SST-2")
    parser.add_argument("--msra", type=Path, help="a run of slimlit.tasks.TokenClassification on MSRA")
    parser.add_argument("--snips", type=Path, help="a run of slimlit.tasks.TokenClassification on SNIPS")
    parser.add_argument("--hotel", type=Path, help="a run of slimlit.tasks.SequenceClassification on hotel reviews")
    parser.add_argument("--texts", type=int, default=100)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1], help="of all that is drawn, an exam each")
    asked = parser.parse_args()
    makers = {
        "SST-2": asked.sst2 and (lambda: classifier(asked.sst2, asked.shared / "sst2/test.tsv", asked.texts)),
        "MSRA tags": asked.msra
        and (lambda: tagger(asked.msra, asked.shared / "zh_msra_ner/test.jsonl.gz", "tokens", asked.texts)),
        "SNIPS slots": asked.snips
        and (lambda: tagger(asked.snips, asked.shared / "snips_slots/test.jsonl", "tokens", asked.texts)),
        "hotel reviews": asked.hotel
        and (lambda: classifier(asked.hotel, asked.shared / "zh_chnsenticorp_hotel/test.tsv", asked.texts)),
    }
    file = HERE / "results.json"
    results = json.loads(file.read_text()) if file.is_file() else {}
    for name, make in makers.items():
        if not make:
            continue
        subject, exams = make(), []
        for seed in asked.seeds:
            exam, seconds = take(subject, seed)
            exams.append({"CPU seconds": round(seconds, 1), **json.loads(exam.to_json())})
            results[name] = {"exams": exams}
            file.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")
            if seed == asked.seeds[0]:
                (HERE / f"{name.split()[0].lower()}.svg").write_text(draw_exam(exam))
            print(f"{name}, seed {seed}, {seconds:.0f} CPU s\n\n{table_of(exam)}\n", flush=True)


def take(subject: Subject, seed: int) -> tuple[Exam, float]:
    """The exam of all methods that fit, and the CPU seconds it took."""
    began = time.process_time()
    kind = subject.question.kind
    methods = methods_for(subject.network, kind, subject.tokenizer.mask_token_id, subject.special_ids)
    given = (subject.network, subject.batch, subject.question, methods, subject.removable)
    exam = examine(*given, subject.words, subject.blank, seed)
    return exam, time.process_time() - began


if __name__ == "__main__":
    main()
