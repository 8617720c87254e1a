"""The names of systems in tables and pictures.

Result files keep the names that they were published with; :func:`shown` gives today's.
"""


def shown(name: str) -> str:
    """Today's name of a published system: ``best_averaged`` is ``experts_ensemble``."""
    network = "experts" + name.removeprefix("best") if name.startswith("best") else name
    return network.replace("_averaged", "_ensemble")
