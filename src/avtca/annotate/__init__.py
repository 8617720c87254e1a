"""A corpus into Parquet: one result for each recording, in several processes or on a cluster."""

from avtca.annotate.run import Summary, annotate

__all__ = ["Summary", "annotate"]
