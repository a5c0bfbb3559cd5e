"""The multiverse: many readings of the paper at once, judged by `lpi.claims` (config/multiverse.yaml)."""
