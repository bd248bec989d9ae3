"""A hub with real embedded services, but tiny programs for doors and workers:

python -m tests.support.stand_in_hub HOME PORT [--stubborn] [--impatient]
"""

import sys
from pathlib import Path

from core.environment import PROJECT_ROOT
from local.supervisor import hub
from local.supervisor.child import ProcessSpec
from local.supervisor.hub import HubOptions, run_hub
from local.supervisor.programs import HubPlan, HubPrograms
from tests.local.conftest import environment_of
from tests.support.programs import SLEEP, STUBBORN, WITH_A_CHILD


def _programs(plan: HubPlan) -> HubPrograms:
    programs = {"edge-1": STUBBORN if "--stubborn" in sys.argv else SLEEP, "console": WITH_A_CHILD}
    home = str(plan.environment.home)
    lasting = [
        ProcessSpec(name=name, argv=(sys.executable, "-c", program, home), folder=PROJECT_ROOT)
        for name, program in programs.items()
    ]
    return HubPrograms([], lasting)


def main() -> None:
    home, port = sys.argv[1:3]
    if "--impatient" in sys.argv:
        hub.PATIENCE_SECONDS = 0.5
    options = HubOptions(port=int(port), edge_port=0)
    run_hub(environment_of(Path(home)), options, _announce, _programs)


def _announce(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
