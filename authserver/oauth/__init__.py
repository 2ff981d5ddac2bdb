"""The protocol's HTTP edge: `server.py` lists every grant and endpoint, `grants/` holds one file a grant."""
