"""coldchain carries the files of scientific instruments to storage and proves, file by file, that they arrived."""

__version__ = "0.1.0"
