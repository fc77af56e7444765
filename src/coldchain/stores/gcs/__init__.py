"""Buckets of Google Cloud Storage; ``store`` is the kind, see ``stores.base``."""
