"""Content that a seed repeats, and checksums by other means than ours."""
import base64
import functools
import hashlib
import random

_table = []
for _byte in range(256):
    for _ in range(8):
        _byte = _byte >> 1 ^ (0x82F63B78 if _byte & 1 else 0)
    _table.append(_byte)


@functools.lru_cache(200)
def crc32c(content):
    """As Google writes it: base64 of four big-endian bytes."""
    crc = 0xFFFFFFFF
    for byte in content:
        crc = _table[(crc ^ byte) & 0xFF] ^ crc >> 8
    return base64.b64encode((crc ^ 0xFFFFFFFF).to_bytes(4, 'big')).decode()


def base64_of(kind, content):
    return base64.b64encode(hashlib.new(kind, content).digest()).decode()


def content_of(seed, most=400_000):
    dice = random.Random(seed)
    return dice.randbytes(dice.randrange(1, most))
