"""Say where this Python's cocotb is: its version, its libraries, and what the simulator loads of it."""
# ruff: noqa: INP001, T201 - it prints what a shell reads, and nothing imports it

from importlib.metadata import version

from cocotb_tools.config import libs_dir, pygpi_entry_point
from find_libpython import find_libpython

print(version("cocotb"), libs_dir, f"{find_libpython()};{pygpi_entry_point()}", sep="\n")
