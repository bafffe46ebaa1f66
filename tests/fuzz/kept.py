"""Cases that once failed, and stay."""

KEPT: tuple[tuple[str, int], ...] = (
    ("manifest", 315),
    ("weights", 4822),
    ("kept", 6002),
    ("reader", 9181),
    ("wire", 50026),
    ("reader", 64467),
    ("reader", 10972),
)
