"""Instruments that are played: true layouts, files that grow, markers last; see ``base.py``."""
