"""Training and measuring the judge."""
