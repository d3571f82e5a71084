"""One module per condition that needs the operator, each with the action that ends it."""

from __future__ import annotations

from appliance.control.checks.candles_late import find_candles_late
from appliance.control.checks.candles_unsaved import find_candles_unsaved
from appliance.control.checks.champion_elsewhere import find_champion_elsewhere
from appliance.control.checks.champion_missing import find_champion_missing
from appliance.control.checks.comparison_starved import find_comparison_starved
from appliance.control.checks.dag_broken import find_dag_broken
from appliance.control.checks.disk_full import find_disk_full
from appliance.control.checks.forecaster_limited import find_forecaster_limited
from appliance.control.checks.forecasts_stale import find_forecasts_stale
from appliance.control.checks.gaps_open import find_gaps_open
from appliance.control.checks.ingest_config import find_ingest_config
from appliance.control.checks.ingestor_silent import find_ingestor_silent
from appliance.control.checks.market_rejected import find_market_rejected
from appliance.control.checks.model_refused import find_model_refused
from appliance.control.checks.model_stale import find_model_stale
from appliance.control.checks.model_unwell import find_model_unwell
from appliance.control.checks.part_unread import find_part_unread
from appliance.control.checks.project_config import find_project_config
from appliance.control.checks.recorder_stopped import find_recorder_stopped
from appliance.control.checks.retrain_parked import find_retrain_parked
from appliance.control.checks.service_down import find_service_down
from appliance.control.checks.slack_config import find_slack_config
from appliance.control.checks.slack_taken import find_slack_taken
from appliance.control.checks.source_blocked import find_source_blocked
from appliance.control.checks.source_garbled import find_source_garbled
from appliance.control.checks.source_unreachable import find_source_unreachable
from appliance.control.checks.stream_silent import find_stream_silent
from appliance.control.checks.task_unstarted import find_task_unstarted
from appliance.control.checks.workflow_failed import find_workflow_failed
from appliance.control.checks.workflow_paused import find_workflow_paused
from appliance.control.health import Check

ALL_CHECKS: tuple[Check, ...] = (
    find_service_down,
    find_part_unread,
    find_disk_full,
    find_project_config,
    find_ingestor_silent,
    find_source_blocked,
    find_source_garbled,
    find_source_unreachable,
    find_market_rejected,
    find_ingest_config,
    find_candles_unsaved,
    find_stream_silent,
    find_candles_late,
    find_gaps_open,
    find_dag_broken,
    find_task_unstarted,
    find_workflow_paused,
    find_workflow_failed,
    find_champion_missing,
    find_champion_elsewhere,
    find_model_refused,
    find_model_stale,
    find_model_unwell,
    find_comparison_starved,
    find_retrain_parked,
    find_forecasts_stale,
    find_forecaster_limited,
    find_slack_config,
    find_slack_taken,
    find_recorder_stopped,
)
"""Every check, the most fundamental first."""
