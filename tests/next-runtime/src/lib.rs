//! The runtime that could come next: the one of this repository with a higher `spec_version`, one call more, and the checks
//! of `try-runtime`. Tests upgrade a chain to it.

#![expect(
    missing_docs,
    reason = "the builder of the wasm generates the constants"
)]

include!(env!("NEXT_RUNTIME"));

/// The wasm, compressed; nothing when it was not built (`SKIP_WASM_BUILD`).
pub const WASM: Option<&[u8]> = WASM_BINARY;
