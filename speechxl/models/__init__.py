"""Encoder, quantizer, masks and model folders."""
