"""Who is told of runs, of what, and by which ways?"""
