"""Stand-ins for vendors, for demos, for tests, and for authors of adapters."""
