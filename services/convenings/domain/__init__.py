"""The rules of convenings, participation, feedback and innovations. Pure: no I/O, no clock, no ids."""
