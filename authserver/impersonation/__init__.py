"""Policy, consent, approval and the life of impersonations.

`policy*` decides, purely; `judge` gathers the facts; `lifecycle` moves an impersonation through `states`;
`minting` says what its tokens hold. `support_codes` are made by customers, and `redemption` lets one be a consent.
Rows are locked in one order everywhere, so that nothing deadlocks: people, sessions, clients, standing consents,
impersonations, support codes, chain; several of one kind by their ids. Locks leave keys alone (`FOR NO KEY UPDATE`),
for an insert that refers to a row locks its key whenever it comes.
"""
