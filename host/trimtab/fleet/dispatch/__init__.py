"""One device's share of a run: its jobs, again and again where something died, until all is here.

``share`` goes on until every arm has an outcome or is set aside; ``job`` is one job from its
submission to its acknowledgement; ``admission`` knows what a device cannot even try, ``gate`` when
it is in no state to begin.
"""

from trimtab.fleet.dispatch.admission import why_not as why_not
from trimtab.fleet.dispatch.connection import connected as connected
from trimtab.fleet.dispatch.letting_go import let_jobs_go as let_jobs_go
from trimtab.fleet.dispatch.share import measure_on as measure_on
from trimtab.fleet.dispatch.workload import Measured as Measured
from trimtab.fleet.dispatch.workload import Rules as Rules
from trimtab.fleet.dispatch.workload import Workload as Workload
from trimtab.fleet.dispatch.workload import deadline_in as deadline_in
