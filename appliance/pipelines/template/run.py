"""Runs a config's stages: `python -m appliance.pipelines.template.run CONFIG`."""

from __future__ import annotations

import sys

from appliance.pipelines.command import main
from appliance.pipelines.template.utils.load_spec_from_config import (
    PROJECT,
)

if __name__ == "__main__":
    sys.exit(main(PROJECT))
