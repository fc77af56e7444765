"""What can be put around a store of any kind?"""
