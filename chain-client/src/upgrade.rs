//! Runtime code: which version it is, and what the chain has authorized.

use codec::Decode;
use keyward_protocol::{BlockHash, Digest};
use sp_maybe_compressed_blob::{decompress, CODE_BLOB_BOMB_LIMIT};

use crate::{
    client::Client,
    rpc::{decode, RpcFailed},
    view::{storage_key, ReadFailed, View},
};

/// A runtime's name and version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuntimeVersion {
    /// Name of the chain's specification.
    pub spec_name: String,
    /// Rises with every upgrade.
    pub spec_version: u32,
}

impl std::fmt::Display for RuntimeVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} version {}", self.spec_name, self.spec_version)
    }
}

/// Code of a runtime, as it is submitted.
#[derive(Clone, PartialEq, Eq)]
pub struct RuntimeCode {
    /// The file's bytes, compressed or not.
    pub code: Vec<u8>,
    /// BLAKE2b-256 of these bytes: what an upgrade is authorized by.
    pub hash: Digest,
    /// The version that the code says it is.
    pub version: RuntimeVersion,
}

impl std::fmt::Debug for RuntimeCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (version, length) = (&self.version, self.code.len());
        write!(f, "RuntimeCode({version}, {length} bytes, {})", self.hash)
    }
}

/// Why bytes are no runtime.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodeInvalid {
    /// The compression is broken, or hides more than 50 MiB.
    #[error("the file is compressed, but does not decompress to at most 50 MiB")]
    Compression,
    /// No WebAssembly.
    #[error("the file is no WebAssembly module, compressed or not; the runtime is built as keyward_runtime.compact.compressed.wasm")]
    NotWasm,
    /// Without `runtime_version`.
    #[error("the module does not say which runtime version it is: it is no runtime of a chain")]
    NoVersion,
}

impl RuntimeCode {
    /// Reads the version from the code, compressed or not.
    pub fn read(code: Vec<u8>) -> Result<Self, CodeInvalid> {
        let module =
            decompress(&code, CODE_BLOB_BOMB_LIMIT).map_err(|_| CodeInvalid::Compression)?;
        let sections = module.strip_prefix(WASM).ok_or(CodeInvalid::NotWasm)?;
        let section = custom_section(sections, "runtime_version").ok_or(CodeInvalid::NoVersion)?;
        let version = Version::decode(&mut &section[..]).map_err(|_| CodeInvalid::NoVersion)?;
        Ok(Self {
            hash: Digest(sp_crypto_hashing::blake2_256(&code)),
            version: RuntimeVersion {
                spec_name: version.spec_name,
                spec_version: version.spec_version,
            },
            code,
        })
    }
}

/// Magic and version of WebAssembly.
const WASM: &[u8] = b"\0asm\x01\0\0\0";

/// The beginning of `sp_version::RuntimeVersion`.
#[derive(Decode)]
struct Version {
    spec_name: String,
    _impl_name: String,
    _authoring_version: u32,
    spec_version: u32,
}

/// A module's custom section. Sections: id, length (LEB128), content; custom ones (id 0) begin with their name.
fn custom_section<'a>(mut sections: &'a [u8], name: &str) -> Option<&'a [u8]> {
    while let [id, rest @ ..] = sections {
        let (length, rest) = leb128(rest)?;
        let (content, next) = rest.split_at_checked(length)?;
        if *id == 0 {
            let (length, named) = leb128(content)?;
            let (found, content) = named.split_at_checked(length)?;
            if found == name.as_bytes() {
                return Some(content);
            }
        }
        sections = next;
    }
    None
}

/// An unsigned LEB128 number of at most 32 bits, and what follows it.
fn leb128(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut number = 0u64;
    for (position, byte) in bytes.iter().take(5).enumerate() {
        number |= u64::from(byte & 0x7f) << (position * 7);
        if byte & 0x80 == 0 {
            let number = u32::try_from(number).ok()?;
            return Some((number as usize, bytes.get(position + 1..)?));
        }
    }
    None
}

/// An upgrade that the council authorized and nobody applied yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Decode)]
pub struct AuthorizedUpgrade {
    /// BLAKE2b-256 of the code.
    pub code_hash: Digest,
    /// Whether the code's name and version must follow the chain's.
    pub check_version: bool,
}

impl View {
    /// The upgrade that the council authorized, if any.
    pub async fn authorized_upgrade(&self) -> Result<Option<AuthorizedUpgrade>, ReadFailed> {
        let (pallet, item) = ("System", "AuthorizedUpgrade");
        self.runtime().await?.check_storage(&[(pallet, item)])?;
        let key = storage_key(pallet, item);
        let stored = self.rpc.storage(&key, self.block()).await;
        let stored = stored.map_err(|error| self.failed(error))?;
        let read = stored.map(|bytes| decode("authorized upgrade", &bytes));
        Ok(read.transpose()?)
    }
}

impl Client {
    /// Name and version of the runtime that the chain has after a block.
    pub async fn runtime_version(&self, at: BlockHash) -> Result<RuntimeVersion, RpcFailed> {
        let version = self.rpc.call("Core_version", &[], at).await?;
        let version = Version::decode(&mut &version[..]).map_err(|error| RpcFailed::Malformed {
            reason: format!("version of the runtime: {error}"),
        })?;
        Ok(RuntimeVersion {
            spec_name: version.spec_name,
            spec_version: version.spec_version,
        })
    }
}

#[cfg(test)]
mod tests {
    use codec::Encode;

    use super::*;

    fn section(id: u8, content: &[u8]) -> Vec<u8> {
        [&[id, content.len() as u8][..], content].concat()
    }

    fn module(spec_version: u32) -> Vec<u8> {
        let version = ("keyward", "keyward", 1u32, spec_version, 1u32).encode();
        let named = |name: &str, content: &[u8]| {
            section(
                0,
                &[&[name.len() as u8][..], name.as_bytes(), content].concat(),
            )
        };
        [
            WASM.to_vec(),
            section(1, &[0]),
            named("producers", &[9; 40]),
            named("runtime_version", &version),
        ]
        .concat()
    }

    #[test]
    fn the_version_is_read_from_code_compressed_or_not_and_the_hash_is_of_the_file() {
        let plain = module(7);
        let packed = sp_maybe_compressed_blob::compress_weakly(&plain, 1 << 20).unwrap();
        assert_ne!(packed, plain);
        for code in [plain, packed] {
            let read = RuntimeCode::read(code.clone()).unwrap();
            assert_eq!(read.version.to_string(), "keyward version 7");
            assert_eq!(read.hash.0, sp_crypto_hashing::blake2_256(&code));
        }
    }

    #[test]
    fn what_is_no_runtime_is_refused_with_its_reason() {
        let refused = |code: &[u8]| RuntimeCode::read(code.to_vec()).unwrap_err();
        assert_eq!(refused(b"#!/bin/sh"), CodeInvalid::NotWasm);
        assert_eq!(refused(WASM), CodeInvalid::NoVersion);
        let cut = &module(7)[..60];
        assert_eq!(refused(cut), CodeInvalid::NoVersion);
        let broken = [82, 188, 83, 118, 70, 219, 142, 5, 1, 2, 3];
        assert_eq!(refused(&broken), CodeInvalid::Compression);
        let endless = [WASM, &[0, 0xff, 0xff, 0xff, 0xff, 0xff]].concat();
        assert_eq!(refused(&endless), CodeInvalid::NoVersion);
    }
}
