"""`accelsim` as it is called in a shell: until its modules are loaded, Ctrl-C just ends it."""

from __future__ import annotations

import gc
import signal


def main() -> None:
    """Load the command line, then run it and exit."""
    # Modules and machine code stay: looking through them again and again takes a tenth of a command.
    gc.set_threshold(20_000, 20, 20)
    heard = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if heard:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from accelsim.cli import main as run

    if heard:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    run()
