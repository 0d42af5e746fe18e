"""One plan by several processes: on this machine, on Ray, on any hosts."""
