#!/usr/bin/env python3
"""A second implementation of Keyward's formats, in Python with libsodium (PyNaCl), checked against the frozen vectors.

It encodes every field list anew, so it also says how each format is laid out. AES-256-GCM-SIV is not in libsodium: of the
protected messages everything but the ciphertext is checked here.
"""
import hashlib
import hmac
import json
import pathlib
import re
import sys

from nacl import bindings
from nacl.exceptions import BadSignatureError
from nacl.public import PrivateKey, SealedBox
from nacl.signing import SigningKey

HERE = pathlib.Path(__file__).parent
LABEL = b"keyward/v1"
MESSAGE_LABEL = b"keyward/v1/message"
VERSION = b"\x01"


def blake2b_256(data):
    return hashlib.blake2b(data, digest_size=32).digest()


# SCALE: https://docs.polkadot.com/polkadot-protocol/parachain-basics/data-encoding/
def compact(number):
    if number < 1 << 6:
        return (number << 2).to_bytes(1, "little")
    if number < 1 << 14:
        return (number << 2 | 1).to_bytes(2, "little")
    if number < 1 << 30:
        return (number << 2 | 2).to_bytes(4, "little")
    length = max(4, (number.bit_length() + 7) // 8)
    return bytes([(length - 4) << 2 | 3]) + number.to_bytes(length, "little")


def integer(size):
    return lambda value: value.to_bytes(size, "little")


def text(value):
    data = value.encode()
    return compact(len(data)) + data


def variable(value):
    data = bytes.fromhex(value)
    return compact(len(data)) + data


def boolean(value):
    return bytes([value])


def many(encode):
    return lambda values: compact(len(values)) + b"".join(map(encode, values))


def one_of(*names):
    return lambda value: bytes([names.index(value)])


def struct(fields):
    return lambda values: b"".join(encode(values[name]) for name, encode in fields.items())


def tagged(variants):
    """A choice whose variants may have content: `name` or `{name: content}`."""
    names = list(variants)

    def encode(value):
        name, content = (value, None) if isinstance(value, str) else next(iter(value.items()))
        tail = variants[name](content) if variants[name] else b""
        return bytes([names.index(name)]) + tail

    return encode


u8, u16, u32, u64, fixed = integer(1), integer(2), integer(4), integer(8), bytes.fromhex
filters = many(text)
extensions = many(struct({"id": u16, "critical": boolean, "bytes": variable}))
block = struct({"number": u32, "hash": fixed})
policy = struct({
    "suite": u8, "signed": boolean, "rekey_on_join": boolean, "commands": boolean,
    "seal_while_awaiting": boolean, "seal_when_stale": boolean, "max_age": u32, "max_silence": u32,
    "grace": u32, "settle": u32, "rotate_every": u32, "history": u32, "history_age": u32,
    "takeover": u32, "extensions": extensions,
})
voucher = struct({
    "authority": text, "device": text, "gateway": fixed, "signing_key": fixed,
    "agreement_key": fixed, "key_version": u32, "not_after": u64,
})
replacement = struct({
    "device": text, "key_version": u32, "signing_key": fixed, "agreement_key": fixed, "not_after": u64,
})
custodian = struct({"account": fixed, "name": text, "statement_key": fixed})
device_group = struct({
    "group": text, "role": one_of("publish", "subscribe", "both"), "filters": filters,
    "custodians": many(custodian),
})
ask = tagged({
    "enrol": struct({"voucher": voucher, "voucher_signature": fixed, "proof": fixed}),
    "resync": None,
    "replace_keys": struct({
        "replacement": replacement, "new_signature": fixed, "current_signature": fixed,
    }),
})
status = tagged({
    "accepted": None, "done": None,
    "refused": one_of("replayed", "busy", "unknown", "voucher", "chain"),
})
BODIES = {
    "Voucher": voucher,
    "Registration": struct({
        "voucher": fixed, "gateway": fixed, "signing_key": fixed, "agreement_key": fixed,
    }),
    "KeyReplacement": replacement,
    "DeviceStatement": struct({
        "gateway": fixed, "device": text, "key_version": u32, "revision": u64,
        "groups": many(device_group), "block": block, "chain_time": u64, "extensions": extensions,
    }),
    "GroupStatement": struct({
        "gateway": fixed, "group": text, "revision": u64, "epoch": u32,
        "state": one_of("active", "awaiting", "frozen", "closed"), "custodians": many(fixed),
        "commitments": many(struct({"epoch": u32, "commitment": fixed, "custodian": u8})),
        "policy": policy, "filters": filters, "pages": many(fixed), "block": block,
        "extensions": extensions,
    }),
    "PublisherPage": struct({
        "group": text, "page": u32,
        "publishers": many(struct({
            "index": u32, "device": text, "key_version": u32, "signing_key": fixed,
        })),
    }),
    "Beacon": struct({
        "gateway": fixed, "group": text, "revision": u64, "statement": fixed, "block": block,
        "chain_time": u64,
    }),
    "AnchorCertificate": struct({"gateway": fixed, "statement_key": fixed, "serial": u64}),
    "Request": struct({
        "device": text, "key_version": u32, "gateway": fixed, "ask": ask, "counter": u64, "nonce": fixed,
    }),
    "Response": struct({
        "gateway": fixed, "device": text, "nonce": fixed, "status": status, "reason": text,
        "block": block, "chain_time": u64,
    }),
    "Receipt": struct({
        "group": text, "epoch": u32, "commitment": fixed, "device": text, "key_version": u32,
    }),
    "Grant": struct({
        "group": text, "device": text, "key_version": u32,
        "epochs": many(struct({"epoch": u32, "secret": fixed})), "extensions": extensions,
    }),
}
PURPOSES = {
    "Voucher": 1, "Registration": 2, "KeyReplacement": 3, "DeviceStatement": 4, "GroupStatement": 5,
    "PublisherPage": 6, "Beacon": 7, "AnchorCertificate": 8, "Request": 9, "Response": 10,
    "Receipt": 11, "EpochSecret": 12,
}


def payload(genesis, purpose, fields):
    return LABEL + VERSION + genesis + u8(PURPOSES[purpose]) + fields


def load(name):
    return json.loads((HERE / name).read_text(encoding="utf-8"))


def same(what, ours, theirs):
    if ours != theirs:
        raise SystemExit(f"{what}: ours {ours!r}, vector {theirs!r}")


def check_ids(vectors):
    for case in vectors["cases"]:
        valid = re.fullmatch(rb"[A-Za-z0-9._-]{1,32}", case["id"].encode()) is not None
        same(f"id {case['id']!r}", valid, case["valid"])
        if valid:
            same("encoded id", text(case["id"]).hex(), case["encoded"])
            head, dot, _ = case["id"].partition(".")
            same("organisation", head if dot else None, case["organisation"])


def valid_filter(value):
    levels = value.split("/")
    wild = [("#" in level or "+" in level) and level not in ("#", "+") for level in levels]
    control = any(ord(c) < 32 or 127 <= ord(c) < 160 for c in value)
    return (0 < len(value.encode()) <= 64 and not control and not value.startswith("$")
            and not any(wild) and "#" not in levels[:-1])


def matches(pattern, topic):
    if topic.startswith("$"):
        return False
    levels = topic.split("/")
    for depth, level in enumerate(pattern.split("/")):
        if level == "#":
            return True
        if depth >= len(levels) or level not in ("+", levels[depth]):
            return False
    return len(levels) == len(pattern.split("/"))


def specificity(pattern):
    return [{"#": 0, "+": 1}.get(level, 2) for level in pattern.split("/")] + [3]


def check_topics(vectors):
    names = [case["topic"] for case in vectors["topics"] if case["valid"]]
    for case in vectors["topics"]:
        wild = any(c in "+#" or ord(c) < 32 or 127 <= ord(c) < 160 for c in case["topic"])
        same(f"topic {case['topic']!r}", 0 < len(case["topic"].encode()) <= 1024 and not wild, case["valid"])
    for case in vectors["filters"]:
        pattern = case["filter"]
        same(f"filter {pattern!r}", valid_filter(pattern), case["valid"])
        if case["valid"]:
            same("encoded filter", text(pattern).hex(), case["encoded"])
            same("matches", [name for name in names if matches(pattern, name)], case["matches"])
            same("specificity", specificity(pattern), case["specificity"])
    for case in vectors["decisions"]:
        found = [pattern for pattern in case["filters"] if matches(pattern, case["topic"])]
        decides = max(found, key=specificity, default=None)
        same(f"decision on {case['topic']}", decides, case["decides"])
        ordered = sorted(case["filters"], key=lambda pattern: pattern.encode())
        same("encoded filters", filters(ordered).hex(), case["encoded"])


def check_signed():
    vectors = load("signed.json")
    genesis = bytes.fromhex(vectors["genesis"])
    for case in vectors["cases"]:
        kind = case["type"]
        fields = BODIES[kind](case["fields"])
        signed = payload(genesis, kind, fields)
        same(f"{kind} purpose", PURPOSES[kind], case["purpose"])
        same(f"{kind} payload", signed.hex(), case["payload"])
        same(f"{kind} hash", blake2b_256(signed).hex(), case["hash"])
        signature = b""
        if "signer" in case:
            key = SigningKey(bytes.fromhex(case["signer"]["seed"]))
            same(f"{kind} key", bytes(key.verify_key).hex(), case["signer"]["public"])
            signature = key.sign(signed).signature
            same(f"{kind} signature", signature.hex(), case["signature"])
        if "wire" in case:
            same(f"{kind} wire", (VERSION + genesis + fields + signature).hex(), case["wire"])


def check_commitments():
    vectors = load("commitments.json")
    genesis = bytes.fromhex(vectors["genesis"])
    for case in vectors["cases"]:
        fields = text(case["group"]) + u32(case["epoch"]) + fixed(case["custodian"])
        committed = payload(genesis, "EpochSecret", fields + fixed(case["secret"]))
        same("commitment payload", committed.hex(), case["payload"])
        same("commitment", blake2b_256(committed).hex(), case["commitment"])


def check_grants():
    for case in load("grants.json")["cases"]:
        plaintext = VERSION + BODIES["Grant"](case["fields"])
        same("grant", plaintext.hex(), case["plaintext"])
        secret = fixed(case["recipient"]["secret"])
        recipient = bindings.crypto_scalarmult_base(secret)
        same("recipient", recipient.hex(), case["recipient"]["public"])
        opened = SealedBox(PrivateKey(secret)).decrypt(fixed(case["sealed"]))
        same("opened grant", opened.hex(), case["plaintext"])
        ephemeral = fixed(case["ephemeral_secret"])
        public = bindings.crypto_scalarmult_base(ephemeral)
        nonce = hashlib.blake2b(public + recipient, digest_size=24).digest()
        sealed = public + bindings.crypto_box(plaintext, nonce, recipient, ephemeral)
        same("sealed grant", sealed.hex(), case["sealed"])


def check_messages():
    vectors = load("messages.json")
    genesis, secret = fixed(vectors["genesis"]), fixed(vectors["secret"])
    prk = hmac.new(genesis, secret, hashlib.sha256).digest()
    public = SigningKey(fixed(vectors["signer"]["seed"])).verify_key
    same("signer", bytes(public).hex(), vectors["signer"]["public"])
    for case in vectors["cases"]:
        group, topic = case["group"].encode(), case["topic"].encode()
        flags = case["signed"] | case["timed"] << 1 | [0, 4, 8][case["stream"]]
        header = bytes([0x10 | flags])
        header += b"".join(compact(case[name]) for name in ("epoch", "sender", "boot", "counter"))
        numbers = u32(case["epoch"]) + u32(case["sender"]) + u32(case["boot"]) + u8(case["stream"])
        info = MESSAGE_LABEL + u8(len(group)) + group + numbers
        key = hmac.new(prk, info + b"\x01", hashlib.sha256).digest()
        nonce = case["boot"].to_bytes(4, "big") + case["counter"].to_bytes(8, "big")
        context = genesis + u8(len(group)) + group + u16(len(topic)) + topic
        for name, ours in [
            ("prk", prk), ("header", header), ("info", info), ("key", key), ("nonce", nonce),
            ("signature_context", context), ("associated_data", MESSAGE_LABEL + context + header),
        ]:
            same(f"message {name}", ours.hex(), case[name])
        wire = fixed(case["wire"])
        sealed = wire[:-64] if case["signed"] else wire
        length = len(header) + 4 * case["timed"] + len(fixed(case["payload"])) + 16
        same("message length", len(sealed), length)
        same("message begins with its header", sealed.startswith(header), True)
        if case["signed"]:
            try:
                public.verify(MESSAGE_LABEL + blake2b_256(context) + sealed, wire[-64:])
            except BadSignatureError:
                raise SystemExit("message signature does not verify")


def main():
    names = load("names.json")
    check_ids(names)
    check_topics(names)
    check_signed()
    check_commitments()
    check_grants()
    check_messages()
    print("all vectors agree")


if __name__ == "__main__":
    sys.exit(main())
