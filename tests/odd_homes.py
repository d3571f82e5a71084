"""Folder names that file systems allow and that other parts read as something else."""

from __future__ import annotations

ODD_NAMES = (
    "a b",
    "한글",
    "50%",
    "a+b",
    "a&b",
    "a#b",
    "[x]",
    "{y}",
    "it's",
    'a"b',
    "a$5",
    "a;b",
    "a:b,c",
    "back\\slash",
    "trailing.",
    "-dash",
    "~tilde",
    "x" * 200,
)
ALL_AT_ONCE = "a b 한글 %41+&#[x]{y}'\"$5;,:~!*\\."
"""One name with everything in it."""
