"""The ten accounts of the local chain. They are published: whoever reads this can sign for them.

Words number i are the BIP-39 form of sha256(b"latentspeed sandbox account %d" % i); the key lies at m/44'/118'/0'/0/0.
Account 0 is the command line's own, account 1 the demo's counterparty. The client refuses these keys elsewhere.
"""

from __future__ import annotations

MNEMONICS: tuple[str, ...] = (
    "sheriff width entry enough ring acoustic apple pledge sausage online obtain banana "
    "memory market wine lesson curve sad flight design boss jump elbow eternal",
    "auto sand page avocado churn infant kind august rural buffalo brush goose "
    "frost key picnic coffee hurry aerobic forum squeeze adapt already awake shift",
    "harsh song hazard lend piano round reveal enhance gospel domain lion vendor "
    "leaf twist mouse clarify bracket element retire chase crawl border yellow butter",
    "arctic between series zoo stamp tomato always flash add thunder marine brand "
    "recall oven bonus spoon shrimp net decorate jeans lonely now sauce crop",
    "bunker sauce funny permit era virtual armor rough bachelor shoe nephew welcome "
    "guard snap business emotion fine sunny sweet powder comfort plastic domain wave",
    "cool scare embark zero pluck purpose reject aisle detect review rain behave "
    "ramp mix menu worry buddy bag swear exclude bulb miss just select",
    "mercy forest minimum hidden stomach police raven sugar judge mystery clarify either "
    "talk copper grief allow royal hobby regular awful hub reason liberty major",
    "tunnel chronic early toilet decrease crop series timber autumn must analyst water "
    "arm basic away key devote mercy assault stay box assume tuition retire",
    "depend mistake apple approve enjoy eyebrow ozone zebra february drift law comfort "
    "sand custom stock above edit memory east system noble logic tattoo club",
    "tonight emotion stomach patch hungry around used fiber mutual height visa nice "
    "nominee random cloud empower remove vendor age gesture obey wink moral vibrant",
)

# 64 hex digits, secp256k1.
PRIVATE_KEYS: tuple[str, ...] = (
    "1f6940269a1bba400038d0ccb96ffe268a80af297c6737d706b4fef0b646d529",
    "2bb29a6666f5ee8aed1ac8c6635d5d9dbc94ee49bf3ee6dc7a82967e57406023",
    "f6dc49754d08fa0c16f9d76483110dec7cb504bdd82856d7aaee6bb6abff40c6",
    "6145b9b3ecdcd1de9fd8fdbf6bc91deeea3227a123b75c4d3a7f7bf31d788c2f",
    "a167a1e51d829485e8a737d9f2d381608740900a4c8c2a304a4a806309cdcdf4",
    "c582e3088997a519b3de5ff92f00c659c176dd067bb40cba8cad2f1d041282a8",
    "a8c2d398acb3a5c8db258830678cf42bc0173c835009d806c8b272d8ef9060d0",
    "99fd9b4d7eea8b0ef8dfdad825a9f4550f7fa97bcc8434be9fde768ff72f835c",
    "1e9cf6ba018b11e4c1a45e75b781d082437957ddcfef69de7af5203779bff278",
    "4875caa49aa571d8df6ef8024c4b56df20621a7a288108a8f8b829d6167c9aad",
)

ADDRESSES: tuple[str, ...] = (
    "dydx1y8an57mylhme5qx8easytfcggnr9mw046tqxcl",
    "dydx1ha5dd3yjgrpt50vkm3j27qh3c08w9cdqfznfvd",
    "dydx1cqz9w86777lgu2fh707seud27832qefgrdc9zr",
    "dydx1hjqg9ymr2hnuwtjcwjtndgvqs7ejgan0r9slw4",
    "dydx1a067yhw0ta39vgav6jpz0cudxw2fxc45w9r9hs",
    "dydx1s5k3wau0r6uz39ymyyqqe93n90mzx7agya8taj",
    "dydx1sqe3gkr34lc6r7lnvmv3mynm5s538k5vsk9m0h",
    "dydx10lgf0yjqw2aal8w4fdcfv094wq8wxr59d57t72",
    "dydx14wxhu53av0rhvaefuq334h53myd95r5elj4d3f",
    "dydx19tp5q9nz25xw5l6k8mutu6ghne56jq8f7md70a",
)
