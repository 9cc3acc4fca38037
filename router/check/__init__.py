"""May it send this, and in which normal form?"""
