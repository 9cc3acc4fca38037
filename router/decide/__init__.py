"""Which operators may take it, in which order?"""
