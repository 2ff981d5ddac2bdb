"""The REST API (`/api/v1`) and the handoff's endpoints: OpenAPI 3.1, errors as problem details (RFC 9457)."""
