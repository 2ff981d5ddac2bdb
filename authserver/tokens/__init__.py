"""Tokens: the keys that sign them, the one mint that issues them, the verifier that vouches for them.

This package owns the private key files and the pepper (`key_files`), the life of every key from publication to
retirement or revocation and the JWKS (`keyring`), and all signing and verifying with our own keys. It decides nothing
about who may have which token, and records nothing: who changes a key leaves the event.
"""
