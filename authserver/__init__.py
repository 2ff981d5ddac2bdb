"""authserver: an OAuth 2.0 authorization server for safe impersonation and delegation."""
