//! Notes which compiler built the program.

use std::process::Command;

fn main() {
    let compiler = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let said = Command::new(compiler).arg("--version").output();
    let version = said.map(|said| String::from_utf8_lossy(&said.stdout).trim().to_owned());
    println!(
        "cargo:rustc-env=KEYWARD_BENCH_COMPILER={}",
        version.unwrap_or_default()
    );
    println!("cargo:rerun-if-changed=build.rs");
}
