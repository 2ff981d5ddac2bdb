"""The trail: what is recorded (events), how it is chained and proved (chain), how it leaves (export)."""
