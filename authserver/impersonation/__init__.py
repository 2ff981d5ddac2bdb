"""Policy, consent, approval and the life of impersonations.

`policy*` decides, purely; `judge` gathers the facts; `lifecycle` moves an impersonation through `states`;
`minting` says what its tokens hold.
Rows are locked in one order everywhere, so that nothing deadlocks: people, sessions, clients, impersonations, chain.
"""
