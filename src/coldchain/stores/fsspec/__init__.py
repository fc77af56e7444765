"""How is any place that fsspec knows a store?"""
