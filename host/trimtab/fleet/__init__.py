"""Everything between the host and its devices: inventory, client, transfer, dispatch."""
