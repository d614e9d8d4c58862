"""What all services agree on: the published language, and the plumbing they use alike. Never a rule of one service."""
