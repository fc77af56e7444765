"""Where may something have changed?  What the file system says is a hint; only a look is the truth."""
