"""A strict stand-in for the upstream service and its auth hosts."""
