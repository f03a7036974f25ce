//! Builds the runtime's wasm with its benchmarks in it.

use std::{env, fs, path::PathBuf};

use substrate_wasm_builder::WasmBuilder;

fn main() {
    // The builder works in the directory `wbuild` beside the `build` above OUT_DIR, one directory for each package: the
    // same package with other features needs one of its own.
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let own = out.join("benchmarks/release/build/keyward-runtime/out");
    fs::create_dir_all(&own).expect("OUT_DIR can be written");
    env::set_var("OUT_DIR", &own);
    let runtime = fs::canonicalize("../Cargo.toml").expect("the runtime is there");
    WasmBuilder::new()
        .with_project(runtime)
        .expect("this is a manifest")
        .import_memory()
        .export_heap_base()
        .enable_feature("runtime-benchmarks")
        .build();
    println!(
        "cargo:rustc-env=BENCHMARKED_RUNTIME={}",
        own.join("wasm_binary.rs").display()
    );
}
