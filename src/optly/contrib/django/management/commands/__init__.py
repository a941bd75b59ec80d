"""
``manage.py optly``, and the earlier names of its commands.
"""
