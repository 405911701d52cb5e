"""Phones: their spelling, features and distances, inventories of languages, mapping of one inventory to another."""
