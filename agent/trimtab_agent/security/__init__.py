"""Who may talk to the agent from another machine, and how: mutual TLS 1.3, roles, revocation.

gRPC's own TLS tells neither side why a stranger was refused and knows no minimum version. So a
front (``front``) takes the connections of the network, checks who comes (``handshake``,
``refusals``), and relays bytes (``relay``) to gRPC's server behind a private Unix socket, its own
end bound to a path by which ``peer`` finds the certificate's name and role. ``identity`` keeps the
bundle; ``interceptor`` enforces the table in ``roles``.
"""
