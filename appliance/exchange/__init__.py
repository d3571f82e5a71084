"""The port to market sources: what an exchange offers, and which one a home uses."""
