"""A fuzzer of everything that comes from a disk or a wire: ``python -m tests.fuzz --cases 20000``."""
