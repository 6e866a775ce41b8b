"""Points in Qdrant collections, embedded or on a server."""
