"""The operator's web console: files that the browser runs, and what sends them."""
