"""Local accounts: what proves who somebody is, and the browser's session that this gives.

`sign_in` is the story: each step throttles, proves and, once enough is proved (`authentication`), finishes. Proofs are
kept in a `pending` sign-in; `sessions` start from a finished one.
Rows are locked in one order everywhere: people, credentials, throttles, pending sign-ins, sessions, impersonations,
chain. Passwords and passkeys are verified while nothing is locked.
"""
