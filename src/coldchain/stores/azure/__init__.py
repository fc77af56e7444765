"""Containers of Azure Blob Storage; ``store`` is the kind, see ``stores.base``."""
