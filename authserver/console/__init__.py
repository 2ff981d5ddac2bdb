"""The console: pages for staff, and an OAuth client of this server that knows nothing but what the API says."""
