"""The experiment on taggers: each student leaves out one loss, and the table compares with the teacher."""

from pathlib import Path

from experiments.tagging.__main__ import STUDENTS, distilled, table


def test_each_student_leaves_out_one_loss_and_the_plain_one_its_teacher() -> None:
    for student, losses in STUDENTS.items():
        arguments = distilled(Path("runs/teacher"), student, [1, 3], [[1, 2]])["init_args"]
        if student == "plain":
            assert "teacher" not in arguments
            assert arguments["student"]["init_args"]["of"] == "runs/teacher"
        else:
            assert list(arguments["loss"]["init_args"]["losses"]) == losses
            assert arguments["loss"]["init_args"]["weights"].keys() == set(losses)


def test_the_table_gives_shares_of_the_teachers_f1_and_size() -> None:
    one = {
        "f1": 0.9,
        "macro_f1": 0.8,
        "parameters": 20_000_000,
        "without_words": 10_000_000,
        "tokens_per_cpu_second": 900.0,
    }
    students = {"0": {**one, "f1": 0.80, "without_words": 5_000_000}, "1": {**one, "f1": 0.82}}
    rows = table({"X": {"teacher": {"0": one}, "all": students}}).splitlines()
    assert "| 0.8100 ± 0.0141 | 0.8000 ± 0.0000 | 90.0 % | 20.0 M (5.00 M, 0.50) | 900 |" in rows[3]
