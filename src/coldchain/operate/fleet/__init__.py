"""What do the computers that send somewhere leave there, and who reads it?"""
