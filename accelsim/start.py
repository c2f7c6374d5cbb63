"""`accelsim` as it is called in a shell: until its modules are loaded, Ctrl-C just ends it."""

from __future__ import annotations

import signal


def main() -> None:
    """Load the command line, then run it and exit."""
    heard = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if heard:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from accelsim.cli import main as run

    if heard:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    run()
