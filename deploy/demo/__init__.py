"""The demonstration: what the Health Innovation Network's page says, and what is generated around it."""
