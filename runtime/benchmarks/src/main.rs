//! Measures the weights of a pallet's calls over the runtime's wasm, and writes them into its `weights.rs` (`make weights`).
//!
//! On a machine that does nothing else: what runs beside it makes calls look dearer than they are.

use std::{
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use clap::Parser;
use frame_benchmarking_cli::PalletCmd;
use sp_runtime::traits::BlakeTwo256;

#[expect(unused, reason = "the builder writes what not everybody needs")]
mod runtime {
    include!(env!("BENCHMARKED_RUNTIME"));
}

/// Measures the weights of a pallet's calls, and writes them into the pallet.
#[derive(Parser)]
struct Weights {
    /// The pallet's directory below `pallets/`
    pallet: String,
    /// Values of each component that are measured
    #[arg(long, default_value_t = 10)]
    steps: u32,
    /// Measurements of each value
    #[arg(long, default_value_t = 20)]
    repeat: u32,
}

fn main() -> ExitCode {
    let weights = Weights::parse();
    let pallet = &weights.pallet;
    match weights.write() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{pallet}: {error}; its weights are as they were");
            ExitCode::FAILURE
        }
    }
}

impl Weights {
    /// Measures the pallet, and writes its weights.
    fn write(&self) -> Result<(), String> {
        let directory = root().join("pallets").join(&self.pallet);
        let weights = directory.join("src/weights.rs");
        if !weights.exists() {
            return Err(format!("there is no {}", weights.display()));
        }
        let measured = directory.join("src/weights.rs.measured");
        let ran = self.command(&measured).and_then(|command| {
            let ran = command.run_with_spec::<BlakeTwo256, ()>(None);
            ran.map_err(|error| error.to_string())
        });
        let written = ran.and_then(|()| put(&measured, &weights));
        let _ = std::fs::remove_file(&measured);
        written
    }

    /// The command of the SDK that measures.
    fn command(&self, output: &Path) -> Result<PalletCmd, String> {
        let wasm = runtime::WASM_BINARY_PATH.ok_or("the runtime's wasm was not built")?;
        let name = format!("pallet_{}", self.pallet.replace('-', "_"));
        let template = root().join("pallets/weights.hbs");
        let (steps, repeat) = (self.steps.to_string(), self.repeat.to_string());
        PalletCmd::try_parse_from([
            "pallet".as_ref(),
            "--runtime".as_ref(),
            wasm.as_ref(),
            "--genesis-builder".as_ref(),
            "runtime".as_ref(),
            "--genesis-builder-preset".as_ref(),
            "development".as_ref(),
            "--pallet".as_ref(),
            name.as_ref(),
            "--extrinsic".as_ref(),
            "*".as_ref(),
            "--steps".as_ref(),
            steps.as_ref(),
            "--repeat".as_ref(),
            repeat.as_ref(),
            "--min-duration".as_ref(),
            "0".as_ref(),
            "--template".as_ref(),
            template.as_os_str(),
            "--output".as_ref(),
            output.as_os_str(),
        ])
        .map_err(|error| error.to_string())
    }
}

/// Puts what was measured in the place of the weights that were: formatted, and without the proofs that nobody makes
/// (decision 0012).
fn put(measured: &Path, weights: &Path) -> Result<(), String> {
    let text = std::fs::read_to_string(measured).map_err(|error| error.to_string())?;
    let is_kept = |line: &&str| !line.trim_start().starts_with("// Proof: `");
    let kept: Vec<&str> = text.lines().filter(is_kept).collect();
    std::fs::write(measured, kept.join("\n")).map_err(|error| error.to_string())?;
    let formatted = Command::new("rustfmt")
        .args(["--edition", "2021"])
        .arg(measured)
        .status();
    match formatted {
        Ok(status) if status.success() => {}
        _ => return Err("rustfmt does not take what was measured".into()),
    }
    std::fs::rename(measured, weights).map_err(|error| error.to_string())
}

/// The repository.
fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}
