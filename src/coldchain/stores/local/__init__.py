"""A local folder, a drive or a mounted share.

``store`` is what every system has in common; ``posix`` and ``windows`` say how each opens, renames and flushes.
"""
