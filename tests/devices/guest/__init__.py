"""A throwaway machine with a real kernel's sensors, whose values the tests set.

An emulated x86-64 computer without hardware acceleration, so no right to it is needed. Never take a
latency from it: only that things are found, read, waited for and added up.
"""
