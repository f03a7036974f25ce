//! Builds the runtime's wasm; nothing to do when the wasm itself is built.

fn main() {
    #[cfg(feature = "std")]
    substrate_wasm_builder::WasmBuilder::build_using_defaults();
}
