"""When is a job due, and how does the system itself start it?"""
