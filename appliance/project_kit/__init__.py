"""Making a project, and telling whether one keeps the rules; see `docs/projects.md`."""
