"""What a process does by itself: expiry, strangers' aggregates, signed heads, forgetting what is dead."""
