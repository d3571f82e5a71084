"""Projects and what runs their workflows, in process or under Airflow."""

from __future__ import annotations

import os

# OpenMP reads it when scikit-learn loads. Threads that wait by spinning keep busy cores from everybody
# else: beside other work on two cores a fit of 0.2 s took 4.4 s.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
