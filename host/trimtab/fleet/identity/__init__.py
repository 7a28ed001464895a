"""The fleet's own certificate authority, this host's identity, and connections by both.

``authority`` makes and revokes (``certificates`` builds them, ``register`` remembers them, kept on
the disk by ``register_file``), ``folder`` names the files, ``own`` is this host's identity,
``probe`` finds out why a connection cannot be, ``upkeep`` renews what soon expires, ``expiry``
collects what a person is to be told of that.
"""
