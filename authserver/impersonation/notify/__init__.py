"""Messages to people about impersonations: what they say, through which channels they go, and what waits for them."""
