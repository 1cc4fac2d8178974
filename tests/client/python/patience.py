"""Limits of connectors under test: a busy machine is no reason for a miss here."""

PATIENT = {"lookup_ms": 10_000, "load_ms": 10_000, "save_ms": 10_000}
