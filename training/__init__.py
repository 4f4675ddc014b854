"""Train the networks of `stylegan` on a folder of faces."""
