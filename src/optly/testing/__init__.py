"""
What a test-suite needs: contract suites for plug-ins, and fakes.
"""
