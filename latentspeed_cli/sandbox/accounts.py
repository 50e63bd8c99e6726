"""The ten accounts every sandbox has. They are published: whoever reads this can sign for them.

Key number i is sha256(b"latentspeed sandbox account %d" % i). Account 0 is the command line's own, account 1 the
demo's counterparty. The client refuses these keys on every other network.
"""

from __future__ import annotations

# 0x and 64 hex digits, secp256k1.
PRIVATE_KEYS: tuple[str, ...] = (
    "0xc59f592ea57ba00402ad34bfb35e620918af107ee4033657b5639de1a2f1d1ca",
    "0x0f97e67b87f28ce69ea079bd83b474b245d6f42909696fa0856ee9c0300e440e",
    "0x6959e5a7bffa4178ee1a5464c81e08f917ebd724294f1ac8f6df93532a33bfc0",
    "0x0b22b7107ffd47c801e2c3033c32200d8b373b865e94c73294e43bd83b2e6fe1",
    "0x1e77f178d194c5e8c2fde21138ce517ca6759a87c24656db2f6ed492e34c103f",
    "0x2fd809217fda6b5ced382d3c7712c40a3b171c22cfee1d62336e2771df1b9e5e",
    "0x8b4b663435bd634f6c9ec678b24ca7a38dd85fd9a035bcad8ad30856e966203c",
    "0xea850d14f1e39267f107110fb240217be0ba26041bd03cd168366a71a81bfa8d",
    "0x3af1bc2a8564aaa2a7a7fc544859f7971bf26d35800446715d16ee695b073791",
    "0xe4891b58d066f4187bf2ad922d57d2cab95f634afa48b5fe441330b97ff7a3ef",
)

# The Ethereum addresses of those keys, lower case as Hyperliquid writes them.
ADDRESSES: tuple[str, ...] = (
    "0x14c6c22e4ab2024d45168fa67c747bd65c2e56ae",
    "0x43da02c7e5f2b32dbb2ee4b7dd41a8d849ef9862",
    "0x931fe3abad1531cbf260b3b25f828d5fa750a903",
    "0x043ced85b3014ed6cd17268bc12adf25ef49f012",
    "0x2a434ee2516a075f957ad7569b25d8e168243f36",
    "0x8b1596b5c82732cdfb2abd5f75ca1735a3cc1e0e",
    "0x01e99f14bc96e9d89b3cf61f45b89dd5562e7e81",
    "0xdf473f3a60ad546c8a864f320d1043d328a69e86",
    "0xd7ad14894252821a712f67f05734e57da8b4f07a",
    "0x5baf3aab90fe2b4872aca0c3c6b27ca11a28d676",
)
