"""Manifests, recordings and batches: everything between a TSV file and the tensors of a batch.

Nothing is imported here, so that reading a manifest needs the standard library only.
"""
