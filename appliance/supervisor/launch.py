"""Become a service that ends when its supervisor does.

Run as a script, `python -I -S launch.py SUPERVISOR_PID SIGNAL COMMAND...`: asks the kernel for a
signal at the supervisor's death and executes the command. A program of its own because code
between fork and exec would have to be safe in a process with threads.
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Execute the command of the argument list; exit 1 when the supervisor has gone already."""
    supervisor, number, *command = sys.argv[1:]
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, int(number), 0, 0, 0)
    if os.getppid() != int(supervisor):
        sys.exit("the supervisor ended before the service began")
    try:
        os.execvp(command[0], command)  # noqa: S606
    except OSError as error:
        sys.exit(f"{command[0]}: {error.strerror}")


if __name__ == "__main__":
    main()
