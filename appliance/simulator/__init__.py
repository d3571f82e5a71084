"""An HTTP and WebSocket server that a client cannot tell from Upbit."""
