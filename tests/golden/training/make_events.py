#!/usr/bin/env python3
"""Writes events.txt: the record that the tensorboard package writes for one event
with two scalars, in hexadecimal.

    python3 -m venv /tmp/tensorboard && /tmp/tensorboard/bin/pip install tensorboard
    /tmp/tensorboard/bin/python tests/golden/training/make_events.py
"""

import io
import os

import tensorboard
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter


def main():
    event = Event(wall_time=1300.5, step=300, summary=Summary(value=[
        Summary.Value(tag="loss", simple_value=4.25),
        Summary.Value(tag="rate", simple_value=0.5)]))
    file = io.BytesIO()
    RecordWriter(file).write(event.SerializeToString(deterministic=True))
    here = os.path.dirname(os.path.abspath(__file__))
    with open(os.path.join(here, "events.txt"), "w") as out:
        out.write("# made by tests/golden/training/make_events.py, tensorboard %s\n"
                  % tensorboard.__version__)
        out.write(file.getvalue().hex() + "\n")


if __name__ == "__main__":
    main()
