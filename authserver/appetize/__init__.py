"""The handoff of an impersonation's token to a device that Appetize streams (design section 6)."""
