//! What was written for bridge, systemd and Mosquitto is what they understand.

use std::{
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use keyward_test_ports::free_port;

use crate::desk::{program, Desk, Ran, LOCAL};

#[test]
fn the_bridge_and_systemd_accept_what_was_written_for_them() {
    let desk = Desk::new();
    let Some(ran) = desk.network(LOCAL) else {
        return;
    };
    ran.ends(0, &[]);
    for machine in ["acme-1", "hydro-1"] {
        let Some(bridge) = program("keyward-bridge") else {
            return;
        };
        let config = desk.path(&format!("net/machines/{machine}/bridge/bridge.toml"));
        let checked = Command::new(bridge)
            .arg("--config")
            .arg(config)
            .arg("check-config")
            .output();
        Ran::from(checked.unwrap()).ends(0, &["is right", "127.0.0.1:1883", "TLS"]);
    }
    let units = desk
        .files()
        .into_iter()
        .filter(|path| path.extension().is_some_and(|it| it == "service"));
    let units: Vec<_> = units.map(|path| desk.path("net").join(path)).collect();
    assert_eq!(units.len(), 4 + 2 * 2);
    for unit in units
        .iter()
        .filter(|_| Path::new("/usr/bin/systemd-analyze").exists())
    {
        let said = verify(unit);
        // Other units of the system are no matter of ours.
        let name = unit.file_name().unwrap().to_str().unwrap();
        let about: Vec<_> = said.lines().filter(|line| line.contains(name)).collect();
        assert!(about.is_empty(), "{}: {about:#?}", unit.display());
    }
}

fn verify(unit: &Path) -> String {
    let ran = Command::new("/usr/bin/systemd-analyze")
        .args(["verify", "--man=no"])
        .arg(unit)
        .output()
        .unwrap();
    String::from_utf8(ran.stderr).unwrap()
}

/// A setting that systemd does not know would be ignored, and not protect.
#[test]
fn systemd_would_tell_a_mistake_in_a_unit() {
    if !Path::new("/usr/bin/systemd-analyze").exists() {
        return;
    }
    let desk = Desk::new();
    desk.write(
        "wrong.service",
        "[Service]\nExecStart=/bin/true\nProtectSistem=strict\n",
    );
    let said = verify(&desk.path("wrong.service"));
    assert!(
        said.contains("wrong.service") && said.contains("ProtectSistem"),
        "{said}"
    );
}

/// Killed when dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A network whose first gateway's broker has a free port; and the broker, started by its unit's command.
fn broker(desk: &Desk) -> Option<(Running, u16)> {
    let port = free_port().unwrap();
    desk.network(&LOCAL.replace("18831", &port.to_string()))?
        .ends(0, &[]);
    let machine = "net/machines/acme-1";
    std::fs::create_dir_all(desk.path(&format!("{machine}/data/mosquitto"))).unwrap();
    let unit = desk.read(&format!("{machine}/systemd/keyward-mosquitto.service"));
    let line = unit
        .lines()
        .find_map(|line| line.strip_prefix("ExecStart="))
        .unwrap();
    let mut words = line.split(' ');
    let child = Command::new(words.next().unwrap())
        .args(words)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("Mosquitto is not installed; run 'apt-get install mosquitto'");
    let running = Running(child);
    let deadline = Instant::now() + Duration::from_secs(15);
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(
            Instant::now() < deadline,
            "Mosquitto does not listen on {port}"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
    Some((running, port))
}

/// Mosquitto's own client; options with a password come from a file.
struct MqttClient<'a> {
    desk: &'a Desk,
    port: u16,
    id: &'a str,
    options: String,
}

impl MqttClient<'_> {
    fn run(&self, program: &str, arguments: &[&str]) -> Ran {
        for program in ["mosquitto_pub", "mosquitto_sub"] {
            self.desk.write(program, &self.options);
        }
        let ran = Command::new(program)
            .env("XDG_CONFIG_HOME", self.desk.0.path())
            .args([
                "-h",
                "127.0.0.1",
                "-p",
                &self.port.to_string(),
                "-i",
                self.id,
                "-V",
                "5",
                "-q",
                "1",
            ])
            .args(arguments)
            .output()
            .expect("run 'apt-get install mosquitto-clients'");
        Ran::from(ran)
    }

    /// Publishes retained, and says whether the broker took it.
    fn publish(&self, topic: &str) -> bool {
        let ran = self.run("mosquitto_pub", &["-t", topic, "-m", "hello", "-r"]);
        ran.code == 0 && !ran.stderr.to_lowercase().contains("not authorized")
    }

    /// Whether a retained message on the topic reaches it.
    fn receives(&self, topic: &str) -> bool {
        self.run("mosquitto_sub", &["-t", topic, "-C", "1", "-W", "2"])
            .stdout
            .contains("hello")
    }
}

#[test]
fn mosquitto_runs_with_what_was_written_for_it_and_lets_nobody_in_without_tls() {
    let desk = Desk::new();
    let Some((_running, port)) = broker(&desk) else {
        return;
    };
    let authority = desk.path("net/machines/acme-1/tls/ca.pem");
    let tls = format!("--cafile {}\n", authority.display());
    let client = |id, options: &str| MqttClient {
        desk: &desk,
        port,
        id,
        options: options.to_owned(),
    };
    let device = client("1111", &tls);
    assert!(device.publish("keyward/v1/device/1111/acme.gw1/request"));
    assert!(device.publish("acme/valve"), "the application's topic");
    assert!(!device.publish("keyward/v1/gateway/acme.gw1/device/1111/state"));
    assert!(!device.publish("keyward/v1/device/2222/acme.gw1/request"));
    assert!(
        !device.publish("hydro/valve"),
        "a topic that nobody allowed"
    );
    let password = desk.read("net/machines/acme-1/bridge/mqtt.password");
    let bridge = client("acme.gw1", &format!("{tls}-u acme.gw1\n-P {password}\n"));
    assert!(bridge.publish("keyward/v1/gateway/acme.gw1/device/1111/state"));
    assert!(bridge.receives("keyward/v1/device/1111/acme.gw1/request"));
    assert!(device.receives("keyward/v1/gateway/acme.gw1/device/1111/state"));
    let wrong = client("acme.gw1", &format!("{tls}-u acme.gw1\n-P wrong\n"));
    assert!(!wrong.publish("keyward/v1/gateway/acme.gw1/device/1111/state"));
    assert!(!client("1111", "").publish("acme/valve"), "without TLS");
    let other = Desk::new();
    other.network(LOCAL).unwrap().ends(0, &[]);
    let other = format!("--cafile {}\n", other.path("net/tls/ca.pem").display());
    assert!(
        !client("1111", &other).publish("acme/valve"),
        "another consortium's authority"
    );
}
