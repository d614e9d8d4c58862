"""The rules about programmes, organisations, people, communities and memberships. Pure: no I/O, no clock, no ids."""
