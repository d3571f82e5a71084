"""Projects and what runs their workflows, in process or under Airflow."""
