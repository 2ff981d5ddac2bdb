"""The schema of audit events (design section 5). Fields are only ever added; a change of meaning is a new version.

A field named in `personal` is chained as a salted commitment, its value kept beside the chain. Identifiers of
people are pseudonyms (`usr_…`) and stand in the clear; names, addresses and free text do not.
"""
