"""Slack: which events are worth a message, how it reads, and its delivery through the outbox."""
