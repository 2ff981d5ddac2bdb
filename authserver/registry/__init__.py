"""What is registered: people, clients, resource servers; the command line and the API change them by the same rules."""
