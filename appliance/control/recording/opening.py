"""Wires the recorder of a home."""

from __future__ import annotations

import appliance
from appliance.config.paths import Paths
from appliance.config.settings import RecorderSettings
from appliance.config.values import memory_bytes
from appliance.control.api import Control
from appliance.control.hub import Hub
from appliance.control.recording.folder import Limits
from appliance.control.recording.recorder import Recorder
from appliance.control.recording.secrets import blotter_of
from appliance.control.recording.writer import RecordingWriter


def open_recorder(paths: Paths, settings: RecorderSettings, control: Control, hub: Hub) -> Recorder:
    """Return the recorder of what `hub` publishes and `control` answers; it is not started yet."""
    limits = Limits(settings.days, memory_bytes(settings.max_size) or Limits().most_bytes)
    about = {"version": appliance.__version__, "home": str(paths.home)}
    writer = RecordingWriter(paths.recording, limits, blotter_of(paths), about)

    def stat_log(name: str) -> object:
        try:
            status = (paths.logs / f"{name}.log").stat()
        except OSError:
            return None
        return status.st_ino, status.st_size

    return Recorder(writer, hub, control, stat_log)
