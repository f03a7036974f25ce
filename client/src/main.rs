//! The device agent: see `keyward-agent --help`.

fn main() -> std::process::ExitCode {
    keyward_client::agent::main()
}
