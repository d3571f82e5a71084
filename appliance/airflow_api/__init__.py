"""Airflow's REST API: own short-lived tokens, workflow states, triggers, logs."""
