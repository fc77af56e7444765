"""What does a watcher do, and what do others see of it?"""
