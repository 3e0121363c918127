from pathlib import Path

from slimlit.callbacks.metrics_file import MetricsFile


def test_a_metric_that_comes_later_gets_a_column_and_the_rows_before_stay(tmp_path: Path) -> None:
    file = MetricsFile(tmp_path / "metrics.csv", seconds=0.0)
    file.log_metrics({"epoch": 0, "train/loss": 0.5}, step=0)
    file.log_metrics({"epoch": 0, "validation/accuracy": 0.75}, step=1)
    assert file.path.read_text() == "epoch,step,train/loss,validation/accuracy\n0,0,0.5,\n0,1,,0.75\n"


def test_a_resumed_file_loses_later_rows_and_a_half_written_line_and_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    path.write_text("epoch,step,train/loss\n0,0,0.5\n0,1,0.25\n0,2,0.125\n0,3")
    file = MetricsFile(path)
    file.keep_before(2)
    file.log_metrics({"epoch": 0, "train/loss": 0.0625}, step=2)
    file.finalize("success")
    assert path.read_text() == "epoch,step,train/loss\n0,0,0.5\n0,1,0.25\n0,2,0.0625\n"


def test_rows_wait_in_memory_until_asked_for(tmp_path: Path) -> None:
    file = MetricsFile(tmp_path / "metrics.csv", seconds=1e9)
    file.log_metrics({"train/loss": 1.0}, step=0)
    assert not file.path.exists()
    file.save()
    assert file.path.read_text() == "epoch,step,train/loss\n,0,1.0\n"
