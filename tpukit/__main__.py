"""`python -m tpukit` is the `tpukit` program."""

from tpukit.cli import main

if __name__ == "__main__":
    main()
