"""Who may use the device, and who comes next.

``line`` is the order of those who wait, ``book`` holds the lease and gives it, both pure; ``desk``
keeps them in a file and tells the job queue of changes.
"""

from trimtab_agent.leases.book import LeaseBook as LeaseBook
from trimtab_agent.leases.desk import LeaseDesk as LeaseDesk
from trimtab_agent.leases.records import Ask as Ask
from trimtab_agent.leases.records import Lease as Lease
