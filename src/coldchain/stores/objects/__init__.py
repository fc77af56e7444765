"""What is the same for all places that keep objects; each kind brings a ``bucket.Bucket``."""
