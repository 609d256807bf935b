"""Where Google keeps what talks to the Edge TPU."""
