"""What this agent does beyond the first release of v1, as ``DeviceInfo.features`` tells it."""

FEATURES: tuple[str, ...] = ("leases", "status", "job_limits", "identity", "doctor")
