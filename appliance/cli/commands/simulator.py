"""`appliance simulator`: Upbit's quotation API on this machine."""

from appliance.simulator.command import simulator_command

__all__ = ["simulator_command"]
