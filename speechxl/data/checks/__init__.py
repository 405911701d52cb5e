"""Faults of a corpus that training would trip over, all found in one pass."""
