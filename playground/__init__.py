"""The page: one file per part of it, each callable without a browser."""
