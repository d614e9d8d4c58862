"""HTTP as all services speak it: problems, commands, health, and how a service is run."""
