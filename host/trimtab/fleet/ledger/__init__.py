"""What a run has done so far, kept on the disk while it goes on: who dies loses nothing."""

from trimtab.fleet.ledger.device_ledger import DeviceLedger as DeviceLedger
from trimtab.fleet.ledger.device_ledger import Submission as Submission
from trimtab.fleet.ledger.run_ledger import RunLedger as RunLedger
from trimtab.fleet.ledger.run_ledger import read_plan as read_plan
