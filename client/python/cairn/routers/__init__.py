"""What a request router asks Cairn: how much of a prompt is held, and what changes.

`cairn.routers.coordinator.Router` needs grpcio, which the engines' side of this package does not.
"""
