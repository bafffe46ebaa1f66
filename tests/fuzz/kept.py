"""Cases that once failed, and stay."""

KEPT: tuple[tuple[str, int], ...] = (("manifest", 315),)
