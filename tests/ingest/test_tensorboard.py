"""Event files that the tensorboard package writes: as its own reader reads them, and when damaged."""

import pytest

from scalefit.errors import FormatError
from scalefit.ingest import read

pytest.importorskip("tensorboard")
SCALARS = [
    ("eval/bleu", 100, 20.125),
    ("train/loss", 100, 3.5),
    ("eval/bleu", 200, 22.25),
    ("eval_loss", 200, 1.75),
]


def write(folder, *, tensors):
    from tensorboard.compat.proto import event_pb2, summary_pb2, tensor_pb2, tensor_shape_pb2
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    writer = EventFileWriter(str(folder))
    for tag, step, value in SCALARS:
        if tensors:
            shape = tensor_shape_pb2.TensorShapeProto()
            tensor = tensor_pb2.TensorProto(dtype=1, float_val=[value], tensor_shape=shape)
            held = summary_pb2.Summary.Value(tag=tag, tensor=tensor)
        else:
            held = summary_pb2.Summary.Value(tag=tag, simple_value=value)
        writer.add_event(
            event_pb2.Event(wall_time=1.0, step=step, summary=summary_pb2.Summary(value=[held]))
        )
    writer.close()
    return next(folder.iterdir())


@pytest.mark.parametrize("tensors", [False, True])
def test_scalars_of_both_kinds(tmp_path, read_log, tensors):
    path = write(tmp_path, tensors=tensors)
    table = read_log(path, checkpoints="all")
    rows = table.frame[["metric", "step", "value"]].values.tolist()
    assert rows == [["bleu", 100, 20.125], ["bleu", 200, 22.25], ["loss", 200, 1.75]]
    assert any("1 tags that are no evaluation left out (train/loss)" in n for n in table.notes)
    assert read_log(tmp_path, mapping={"loss": "cross_entropy"}).metrics == (
        "bleu",
        "cross_entropy",
    )


def test_the_package_reads_the_same(tmp_path, read_log):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    write(tmp_path, tensors=False)
    theirs = accumulator.EventAccumulator(str(tmp_path), size_guidance={"scalars": 0}).Reload()
    ours = read_log(tmp_path, checkpoints="all").where(metric="bleu")
    assert list(ours.column("value")) == [e.value for e in theirs.Scalars("eval/bleu")]


def test_a_cut_file_gives_what_is_whole_and_a_note(tmp_path, read_log):
    path = write(tmp_path, tensors=False)
    path.write_bytes(path.read_bytes()[:-30])
    table = read_log(path)
    assert table.metrics == ("bleu",)
    assert any("its last record is cut short" in n for n in table.notes)


@pytest.mark.parametrize(
    ("at", "words"), [(2, "length's checksum is wrong"), (-10, "its checksum is wrong")]
)
def test_a_damaged_file_is_refused(tmp_path, at, words):
    path = write(tmp_path, tensors=False)
    data = bytearray(path.read_bytes())
    data[at] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(FormatError, match=words):
        read(path)


def test_an_empty_event_file(tmp_path):
    (tmp_path / "events.out.tfevents.1.x").write_bytes(b"")
    with pytest.raises(FormatError, match="is empty; needed TensorBoard events"):
        read(tmp_path / "events.out.tfevents.1.x")
