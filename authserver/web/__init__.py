"""What every HTTP edge shares: limits, refusals and their evidence, bearer tokens, and who may call what."""
