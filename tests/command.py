"""Running the command line inside a test."""

from __future__ import annotations

import pytest

from accelsim.cli import main


def run(capsys, *words: str) -> tuple[int, str, str]:
    """(exit code, standard output, standard error) of `accelsim WORDS`."""
    with pytest.raises(SystemExit) as stop:
        main(list(words))
    out = capsys.readouterr()
    return int(stop.value.code or 0), out.out, out.err
