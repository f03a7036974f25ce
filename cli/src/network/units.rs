//! systemd units: what runs on a machine, as whom, and what it may do.
//!
//! Each `ExecStart=` is complete: no environment, no quoting, so that it can be split at blanks and run by hand.

use keyward_consortium::{Gateway, Machine, Network};

use super::paths::Place;

/// Where Debian has Mosquitto.
const MOSQUITTO: &str = "/usr/sbin/mosquitto";

/// Blocks whose state a node keeps: 8½ minutes. The bridge reads the newest finalized state only, so that more would only take
/// room; the archive answers older questions.
const STATE_BLOCKS: &str = "256";
/// Bodies of blocks. All finalized ones stay: they are small, and any node can then bring a new or wiped one up to date.
const BODIES: &str = "archive-canonical";

/// What every unit forbids.
const HARDENING: &str = "\
NoNewPrivileges=true
CapabilityBoundingSet=
AmbientCapabilities=
ProtectSystem=strict
ProtectHome=true
PrivateTmp=true
PrivateDevices=true
ProtectClock=true
ProtectHostname=true
ProtectKernelLogs=true
ProtectKernelModules=true
ProtectKernelTunables=true
ProtectControlGroups=true
ProtectProc=invisible
RestrictNamespaces=true
RestrictRealtime=true
RestrictSUIDSGID=true
LockPersonality=true
RemoveIPC=true
UMask=0077
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM
";

/// Where a service writes: below /var/lib systemd makes the directory.
fn state_directory(data: &str, service: &str) -> String {
    match data.strip_prefix("/var/lib/") {
        Some(below) => {
            format!("StateDirectory={below}/{service}\nStateDirectoryMode=0700\n")
        }
        None => format!("# Not below /var/lib, so that systemd does not make it.\nReadWritePaths={data}/{service}\n"),
    }
}

/// The node's command line.
pub fn node_command(network: &Network, machine: &Machine, place: &Place) -> Vec<String> {
    let Place { install, data, bin } = place;
    let ports = machine.ports;
    let mut line = vec![
        format!("{bin}/keyward-node"),
        format!("--chain={install}/node/chain-raw.json"),
        format!("--base-path={data}/node"),
        format!("--name={}", machine.name),
        format!("--node-key-file={install}/node/node.key"),
        format!("--rpc-port={}", ports.rpc),
        format!("--prometheus-port={}", ports.prometheus),
        "--no-telemetry".into(),
        "--no-mdns".into(),
    ];
    if machine.validator {
        line.push("--validator".into());
        line.push(format!("--keystore-path={install}/node/keystore"));
    }
    let listen: &[&str] = match machine.host.is_loopback() {
        true => &["/ip4/127.0.0.1"],
        false => &["/ip4/0.0.0.0", "/ip6/::"],
    };
    let listen = listen.iter();
    line.extend(listen.map(|address| format!("--listen-addr={address}/tcp/{}", ports.p2p)));
    let public = machine.host.multiaddress();
    line.push(format!("--public-addr={public}/tcp/{}", ports.p2p));
    // Nodes of a live network do not dial private addresses unless they are told that theirs are such.
    if network
        .plan
        .machines
        .iter()
        .any(|it| it.host.may_be_private())
    {
        line.extend(["--allow-private-ip".into(), "--discover-local".into()]);
    }
    let (state, bodies) = match machine.archive {
        true => ("archive", "archive"),
        false => (STATE_BLOCKS, BODIES),
    };
    line.push(format!("--state-pruning={state}"));
    line.push(format!("--blocks-pruning={bodies}"));
    line
}

/// The node's unit.
pub fn node(network: &Network, machine: &Machine, place: &Place) -> String {
    let command = node_command(network, machine, place).join(" ");
    let keystore = match machine.validator {
        // 'keyward validator join' has the node make new session keys there.
        true => format!("ReadWritePaths={}/node/keystore\n", place.install),
        false => String::new(),
    };
    format!(
        "\
# Written by 'keyward network new'.
[Unit]
Description=Keyward node {name} of {network}
After=network-online.target
Wants=network-online.target
StartLimitIntervalSec=0

[Service]
Type=exec
User=keyward-node
Group=keyward-node
ExecStart={command}
Restart=always
RestartSec=5
TimeoutStopSec=60
LimitNOFILE=16384
{state}{keystore}\
# So that a leak ends the node and not the machine: far more than docs/operations.md measured. An archive that answers large questions
# may need more.
MemoryMax=2G
OOMPolicy=stop
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
# MemoryDenyWriteExecute is left out: the node compiles the runtime.
{HARDENING}
[Install]
WantedBy=multi-user.target
",
        name = machine.name,
        network = network.plan.network.id,
        state = state_directory(&place.data, "node"),
    )
}

/// The broker's unit.
pub fn mosquitto(gateway: &Gateway, place: &Place) -> String {
    format!(
        "\
# Written by 'keyward network new'.
[Unit]
Description=Mosquitto of Keyward gateway {name}
After=network-online.target
Wants=network-online.target
StartLimitIntervalSec=0

[Service]
Type=exec
User=mosquitto
Group=mosquitto
ExecStart={MOSQUITTO} -c {install}/mosquitto/mosquitto.conf
ExecReload=/bin/kill -HUP $MAINPID
Restart=always
RestartSec=5
TimeoutStopSec=60
LimitNOFILE=65536
{state}\
# So that a leak ends the broker and not the machine. It queues at most 20000 messages for each client that is away: raise this
# with the number of such clients and the size of their messages.
MemoryMax=512M
OOMPolicy=stop
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
MemoryDenyWriteExecute=true
{HARDENING}
[Install]
WantedBy=multi-user.target
",
        name = gateway.name,
        install = place.install,
        state = state_directory(&place.data, "mosquitto"),
    )
}

/// The bridge's unit.
pub fn bridge(gateway: &Gateway, place: &Place) -> String {
    format!(
        "\
# Written by 'keyward network new'.
[Unit]
Description=Keyward bridge of gateway {name}
After=keyward-node.service keyward-mosquitto.service
Wants=keyward-node.service keyward-mosquitto.service
StartLimitIntervalSec=0

[Service]
Type=notify
User=keyward-bridge
Group=keyward-bridge
ExecStart={bin}/keyward-bridge --config {install}/bridge/bridge.toml run
Restart=always
RestartSec=5
TimeoutStopSec=60
{state}\
# So that a leak ends the bridge and not the machine. It grows with devices and groups.
MemoryMax=512M
OOMPolicy=stop
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
MemoryDenyWriteExecute=true
{HARDENING}
[Install]
WantedBy=multi-user.target
",
        name = gateway.name,
        bin = place.bin,
        install = place.install,
        state = state_directory(&place.data, "bridge"),
    )
}
