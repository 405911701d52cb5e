"""Reading and batching of audio and manifests."""
