"""The fleet's own certificate authority, this host's identity, and connections by both.

``authority`` makes and revokes (``certificates`` builds them, ``register`` remembers them),
``folder`` keeps the files, ``probe`` finds out why a connection cannot be, ``upkeep`` renews what
soon expires.
"""
