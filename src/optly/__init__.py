"""
Consent to marketing: asked for, recorded as evidence, and kept to.
"""
