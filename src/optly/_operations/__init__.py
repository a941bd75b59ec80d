"""
The steps of each operation, written once, as coroutines over awaited ports.

The awaited face awaits them. The blocking face runs them to completion over ports that never suspend. An operation has
no sleep, task, lock or stream in it: waiting belongs to the ports. What a method of a face promises is
documented there and not again here.

May import `results`, `protocols` and the layers below them.
"""
