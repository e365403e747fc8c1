"""Starts JupyterLab for this project: on this machine only, token on, notebooks saved in their canonical form.

python -m avatarlab.lab.start [JupyterLab's own options]
"""

import os
import secrets
import sys

from jupyterlab.labapp import LabApp

from avatarlab import ROOT


def options(given: list[str], token: str) -> list[str]:
    """Return JupyterLab's command line: what the user gave, then what stays as it is whatever a user's settings say."""
    fixed = [
        f"--ServerApp.root_dir={ROOT}",
        "--ServerApp.ip=127.0.0.1",
        "--ServerApp.allow_remote_access=False",
        f"--IdentityProvider.token={token}",
        "--FileContentsManager.pre_save_hook=avatarlab.lab.notebook.save_hook",
        # No look-ups outside for newer versions.
        "--LabApp.check_for_updates_class=jupyterlab.handlers.announcements.NeverCheckForUpdate",
    ]
    # Containers and CI machines run as root, where Jupyter refuses to start unless told.
    return [*given, *fixed, *(["--allow-root"] if os.geteuid() == 0 else [])]


def main() -> None:
    """Start JupyterLab and serve until it is stopped; kernels import the package of this checkout."""
    paths = [str(ROOT / "lib"), os.environ.get("PYTHONPATH", "")]
    os.environ["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)
    os.environ.setdefault("JUPYTER_PLATFORM_DIRS", "1")  # silences a warning about the next Jupyter's folders
    # The token goes in by argument of the call, not of the process, so other users of the machine do not see it.
    LabApp.launch_instance(argv=options(sys.argv[1:], os.environ.get("JUPYTER_TOKEN") or secrets.token_hex(24)))


if __name__ == "__main__":
    main()
