"""A stand-in for Google's pycoral, with its layout and its signatures."""

__version__ = "2.0.0"
