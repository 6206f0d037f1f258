"""The rules: pure functions over values. No input or output, no clock, no framework."""
