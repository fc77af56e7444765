"""Buckets of Amazon S3 and of every server that speaks its protocol; ``store`` is the kind, see ``stores.base``."""
