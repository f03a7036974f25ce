//! Builds the runtime's wasm a second time, with the feature `next`, beside the one that nodes are built with.

use std::{env, fs, path::PathBuf};

use substrate_wasm_builder::WasmBuilder;

fn main() {
    // The builder works in the directory `wbuild` beside the `build` above OUT_DIR, one directory for each package: the
    // same package with other features needs one of its own.
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let own = out.join("next/release/build/keyward-runtime/out");
    fs::create_dir_all(&own).expect("OUT_DIR can be written");
    env::set_var("OUT_DIR", &own);
    let runtime = fs::canonicalize("../../runtime/Cargo.toml").expect("the runtime is there");
    WasmBuilder::new()
        .with_project(runtime)
        .expect("this is a manifest")
        .import_memory()
        .export_heap_base()
        .enable_feature("next")
        .enable_feature("try-runtime")
        .build();
    println!(
        "cargo:rustc-env=NEXT_RUNTIME={}",
        own.join("wasm_binary.rs").display()
    );
}
