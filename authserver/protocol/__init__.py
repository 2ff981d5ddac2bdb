"""The pure vocabulary of the protocol: names, refusals, scopes, act chains, verified tokens. No I/O."""
