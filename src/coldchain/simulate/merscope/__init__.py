"""A MERSCOPE that is played: its numbers, its small texts, its tables, and the order in which it writes them."""
