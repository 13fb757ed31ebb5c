"""The whole service over real sockets of this machine: what only a kernel can show."""
