"""Trusted issuers: their tokens as evidence, their people here, and sign-in through the company's IdP."""
