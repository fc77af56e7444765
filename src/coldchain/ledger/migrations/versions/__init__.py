"""One file for each version of the schema; once released, none is ever changed."""
