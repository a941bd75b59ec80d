"""
The template tags: ``{% load optly %}``.
"""
