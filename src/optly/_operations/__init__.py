"""
The steps of each operation, written once, as coroutines over ports in the shape of coroutines.

`AsyncConsentManager` awaits them; `ConsentManager` runs them to their end over ports that never suspend. Inside a flow
there is no sleep, no task, no lock and no stream: waiting belongs to the ports.
"""
