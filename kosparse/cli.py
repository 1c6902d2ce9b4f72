"""The command line: every step of the graph by hand, and the trained model at work.

``kosparse <step> --help`` lists a step's files and settings; both are read off the step's signature
and config class, so nothing is written twice.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from kosparse import korean
from kosparse.commands.parser import parser
from kosparse.errors import KosparseError
from kosparse.steps import STEPS


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return the exit status.

    0 done, 1 failed, 2 bad input or configuration, 3 a service is missing or refuses, 4 too little
    disk or memory, 130 interrupted.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        if given and given[0] in STEPS:
            # A step's options are read off its code, which is imported only when it is called.
            from kosparse.commands.by_hand import run_step

            run_step(given[0], given[1:])
        else:
            options = korean.translate_help(parser(STEPS)).parse_args(given)
            options.command(options)
    except KosparseError as error:
        print(f"kosparse: {korean.message(error)}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print(f"kosparse: {korean.say('interrupted')}", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


if __name__ == "__main__":
    sys.exit(main())
