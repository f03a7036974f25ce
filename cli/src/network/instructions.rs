//! What people read in a network's directory: what goes where, and the commands that put it there.

use keyward_chain_client::account_to_ss58;
use keyward_consortium::{Gateway, Machine, Network, Plan};

use super::{certificate::BROKER_DAYS, directory::member_key, keys::has_key, paths::Place};

/// README.md of the network.
///
/// `written` is what the founders wrote: who had no account there has a new one.
pub fn of_network(network: &Network, written: &Plan, places: &[Place]) -> String {
    let plan = &network.plan;
    let machine = |(machine, place): (&Machine, &Place)| {
        let kind = match (machine.validator, machine.archive) {
            (true, true) => "validator, archive",
            (true, false) => "validator",
            (false, true) => "archive",
            (false, false) => "node",
        };
        let gateway = plan.gateway_on(&machine.name);
        let gateway = gateway.map_or("-".into(), |gateway| gateway.name.to_string());
        format!(
            "| `machines/{}` | {} | {} | {kind} | {gateway} | `{}` |\n",
            machine.name, machine.organisation, machine.host, place.install
        )
    };
    let machines: String = plan.machines.iter().zip(places).map(machine).collect();
    format!(
        "\
# {name}

Written by `keyward network new` from `consortium.toml`. `keyward network check .` says whether anything is wrong or was changed.

| file | what | for whom |
|---|---|---|
| `consortium.toml`, `network.toml` | who takes part; the same with every public key | everybody |
| `chain.json`, `chain-raw.json` | the chain specification, for people and for nodes | everybody |
| `tls/ca.pem` | vouches for the brokers | every device |
| `tls/ca.key` | **secret**: makes certificates of brokers | offline |
| `machines/NAME` | **secret**: everything of one machine; its README.md has the commands | that machine |
| `organisations/ID/council`, `…/committee` | **secret**: accounts of members, for polkadot.js and `keyward council` | that person |
| `organisations/ID/authorities` | **secret**: the authority that vouches for devices (`keyward ca issue --ca …`) | that organisation, offline |

| machine | organisation | host | node | gateway | installed at |
|---|---|---|---|---|---|
{machines}
Whoever ran `keyward network new` has had every key in hand. Hand each directory to its owner over a channel that you trust, keep no
copy, and let the owners change what they can as soon as the network runs: validators their session keys, the council its members.

Members with a new account:

{members}
Each file holds a seed; import it into polkadot.js (Accounts, From seed, sr25519), or give it to `keyward --account-file`.
",
        name = plan.network.name,
        members = members(network, written),
    )
}

fn members(network: &Network, written: &Plan) -> String {
    let plan = &network.plan;
    let bodies = [
        ("council", &plan.council, &written.council),
        ("committee", &plan.committee, &written.committee),
    ];
    let mut lines = String::new();
    for (body, members, written) in bodies {
        for (member, before) in members.iter().zip(written) {
            let new = before.account.is_none() && has_key(member, body, plan);
            if let Some(account) = member.account.filter(|_| new) {
                let path = member_key(member, body);
                let address = account_to_ss58(&account);
                lines += &format!("- `{address}`: `{}`\n", path.display());
            }
        }
    }
    lines
}

/// README.md of a machine.
pub fn of_machine(
    network: &Network,
    machine: &Machine,
    gateway: Option<&Gateway>,
    place: &Place,
) -> String {
    let Machine { name, host, .. } = machine;
    let ports = machine.ports;
    let (install, data, bin) = (&place.install, &place.data, &place.bin);
    let (copied, units) = match gateway {
        None => ("node", "keyward-node"),
        Some(_) => (
            "node bridge mosquitto tls",
            "keyward-node keyward-mosquitto keyward-bridge",
        ),
    };
    let id = &network.plan.network.id;
    let [packages, users, owners, checks] = match gateway {
        None => Default::default(),
        Some(gateway) => for_gateway(gateway, machine, place),
    };
    let operator = match machine.validator {
        true => "\
`node/operator.key` is the account of this validator's operator (`keyward --account-file operator.key validator …`). The node does not
need it: move it to where the operator keeps it before this directory goes to the machine.

"
        .to_owned(),
        false => String::new(),
    };
    let data_directories = match data.starts_with("/var/lib/") {
        true => String::new(),
        false => data_directories(gateway.is_some(), data),
    };
    format!(
        "\
# {name} ({host})

A machine of {id}. All that it needs, its secret keys included: let nobody else have this directory.

{operator}Run as root in this directory, with `keyward-node`{programs} of the same version in `{bin}`:

```sh
{packages}useradd --system --home-dir /nonexistent --shell /usr/sbin/nologin keyward-node
{users}install -d -m 0755 {install}
cp -a {copied} {install}/
rm -f {install}/node/operator.key
chown -R keyward-node: {install}/node
{owners}{data_directories}install -m 0644 systemd/*.service /etc/systemd/system/
systemctl daemon-reload
systemctl enable --now {units}
```

See that it runs:

```sh
systemctl --no-pager status {units}
curl -s -H 'Content-Type: application/json' -d '{{\"id\":1,\"jsonrpc\":\"2.0\",\"method\":\"system_health\",\"params\":[]}}' http://127.0.0.1:{rpc}
{checks}```

Open for others: TCP {p2p} (peers){mqtt}. On the loopback address only: {rpc} (RPC), {prometheus} (Prometheus){admin}.

Clocks: blocks are made every two seconds by the clock. Keep it right (`timedatectl set-ntp true`).
",
        programs = if gateway.is_some() { " and `keyward-bridge`" } else { "" },
        rpc = ports.rpc,
        p2p = ports.p2p,
        prometheus = ports.prometheus,
        mqtt = gateway
            .map(|it| format!(", TCP {} (MQTT with TLS)", it.ports.mqtt))
            .unwrap_or_default(),
        admin = gateway
            .map(|it| format!(", {} (the bridge's admin pages)", it.ports.admin))
            .unwrap_or_default(),
    ) + &gateway.map(|it| renewal(it, machine, place)).unwrap_or_default()
}

fn data_directories(gateway: bool, data: &str) -> String {
    let node = format!("install -d -m 0700 -o keyward-node -g keyward-node {data}/node\n");
    match gateway {
        false => node,
        true => format!(
            "{node}install -d -m 0700 -o keyward-bridge -g keyward-bridge {data}/bridge\ninstall -d -m 0700 -o mosquitto -g mosquitto {data}/mosquitto\n"
        ),
    }
}

fn for_gateway(gateway: &Gateway, machine: &Machine, place: &Place) -> [String; 4] {
    let Place { install, bin, .. } = place;
    let (host, mqtt) = (&machine.host, gateway.ports.mqtt);
    [
        "apt-get install --no-install-recommends mosquitto mosquitto-clients\n\
         # Debian's own instance, unless you use it for something else:\n\
         systemctl disable --now mosquitto\n"
            .into(),
        "useradd --system --home-dir /nonexistent --shell /usr/sbin/nologin keyward-bridge\n"
            .into(),
        format!(
            "chown -R keyward-bridge: {install}/bridge\nchown -R mosquitto: {install}/mosquitto {install}/tls\n"
        ),
        format!(
            "runuser -u keyward-bridge -- {bin}/keyward-bridge --config {install}/bridge/bridge.toml check-config\n\
             {bin}/keyward-bridge --config {install}/bridge/bridge.toml status\n\
             mosquitto_pub -h {host} -p {mqtt} --cafile {install}/bridge/ca.pem -i probe -t keyward/v1/device/probe/hello -m hello\n"
        ),
    ]
}

fn renewal(gateway: &Gateway, machine: &Machine, place: &Place) -> String {
    let install = &place.install;
    let host = &machine.host;
    let kind = match host {
        keyward_consortium::Host::Name(_) => "DNS",
        keyward_consortium::Host::Address(_) => "IP",
    };
    format!(
        "
Devices connect to `mqtts://{host}:{mqtt}` with `tls/ca.pem`. The broker's certificate is valid for {years} years. To renew it, where `ca.key` is:

```sh
printf 'subjectAltName={kind}:{host},DNS:localhost,IP:127.0.0.1\\nextendedKeyUsage=serverAuth\\n' > broker.ext
openssl req -new -key broker.key -subj '/CN={name}' |
  openssl x509 -req -CA ca.pem -CAkey ca.key -CAcreateserial -days {BROKER_DAYS} -extfile broker.ext -out broker.pem
```

and then put `broker.pem` into `{install}/tls` and run `systemctl restart keyward-mosquitto`.

To use a Mosquitto that runs here already, do not enable `keyward-mosquitto`, and take it out of `keyward-bridge.service`. Copy
`mosquitto.conf` without its lines `user`, `persistence_location` and `log_…` to `/etc/mosquitto/conf.d/keyward.conf`; where you have a
`password_file` or an `acl_file` already, add the lines of `passwords` and `keyward.acl` to yours instead.
",
        mqtt = gateway.ports.mqtt,
        name = gateway.name,
        years = BROKER_DAYS / 365,
    )
}
