"""Bytes and work on their way: digests, batches, threads, lists that are too long for memory."""
