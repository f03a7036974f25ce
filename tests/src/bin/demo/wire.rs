//! The paper's Figure 14: the same reading as it really went over the wire, plain and protected.

use anyhow::{Context, Result};
use keyward_tests::{
    capture::{Capture, Captured, Direction},
    mqtt::{Address, Client},
    network::Network,
    play::Outcome,
    scenario::{Scenario, Step},
    screen::Screen,
};

/// Bytes in a row.
const ROW: usize = 16;
/// Rows of a packet that are shown.
const ROWS: usize = 9;

/// Sends the first step's reading once more without protection, and shows both packets.
pub async fn show(
    screen: &Screen,
    network: &Network,
    scenario: &Scenario,
    outcomes: &[(&Step, Outcome)],
) -> Result<()> {
    let (step, outcome) = outcomes.first().context("no step was run")?;
    let topic = &scenario.group(&step.send.group)?.topic;
    let reading = &step.send.payload;
    let plain = send_plain(network, &format!("plain/{topic}"), reading).await?;
    screen.title("On the wire, between device and broker (paper, Figure 14)");
    screen.line(&format!(
        "  plain MQTT: the broker and everybody on the way read the {} bytes of the message",
        reading.len()
    ));
    dump(screen, &plain);
    screen.line(&format!(
        "  protected: the same message, {} bytes longer; no trace of its content",
        outcome.bytes_added
    ));
    dump(screen, &outcome.sent);
    let added = outcomes
        .iter()
        .map(|(_, outcome)| outcome.bytes_added.to_string());
    let added: Vec<_> = added.collect();
    screen.line(&format!(
        "  bytes added to each message: {} (at most 89 for a signed one)",
        added.join(", ")
    ));
    Ok(())
}

async fn send_plain(network: &Network, topic: &str, reading: &str) -> Result<Captured> {
    let capture = Capture::before(network.broker.port()).await?;
    let address = Address {
        port: capture.port(),
        ..network.broker.device("plain-device")
    };
    let (client, _incoming) = Client::connect(&address).await?;
    client.publish(topic, reading.as_bytes(), false).await?;
    let sent = capture.on(topic, Direction::Up).pop();
    sent.context("the plain message did not go over the wire")
}

fn dump(screen: &Screen, captured: &Captured) {
    for line in lines(&captured.packet) {
        screen.line(&format!("    {line}"));
    }
}

/// A packet as sniffers show it: offset, bytes, and what of them is readable.
fn lines(packet: &[u8]) -> Vec<String> {
    let mut lines: Vec<_> = packet
        .chunks(ROW)
        .enumerate()
        .take(ROWS)
        .map(|(row, bytes)| line(row * ROW, bytes))
        .collect();
    if packet.len() > ROW * ROWS {
        lines.push(format!("{} bytes more", packet.len() - ROW * ROWS));
    }
    lines
}

fn line(offset: usize, bytes: &[u8]) -> String {
    let hex: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let readable = |byte: &u8| match byte {
        0x20..=0x7e => char::from(*byte),
        _ => '.',
    };
    let text: String = bytes.iter().map(readable).collect();
    format!("{offset:04x}  {:<47}  |{text}|", hex.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_is_shown_as_hexadecimal_and_text() {
        let shown = lines(b"0\x07hsu0001\x00\x80{\"valve\"");
        assert_eq!(
            shown,
            [
                "0000  30 07 68 73 75 30 30 30 31 00 80 7b 22 76 61 6c  |0.hsu0001..{\"val|",
                "0010  76 65 22                                         |ve\"|",
            ]
        );
    }

    #[test]
    fn a_long_packet_says_how_much_is_not_shown() {
        let shown = lines(&[0; ROW * ROWS + 7]);
        assert_eq!(shown.len(), ROWS + 1);
        assert_eq!(shown[ROWS], "7 bytes more");
    }
}
