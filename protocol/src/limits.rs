//! Every bound of the protocol, in one place (LIM-1, DESIGN sections 4.1 and 5).
//!
//! Sizes are bytes on the wire, counts are items. A client sets its MQTT packet limit from [`CONTROL_PACKET`].

/// Longest identifier.
pub const ID: u32 = 32;
/// Longest topic filter that a group may name.
pub const FILTER: u32 = 64;
/// Topic filters per group, and per membership.
pub const FILTERS: u32 = 4;
/// Longest MQTT topic of a protected message.
pub const TOPIC: usize = 1024;
/// Active custodians of a group.
pub const CUSTODIANS: u32 = 4;
/// Groups that a device may be in.
pub const DEVICE_GROUPS: u32 = 10;
/// Groups that a gateway may be custodian of.
pub const CUSTODIAN_GROUPS: u32 = 256;
/// Epochs staged ahead in a group.
pub const STAGED: u32 = 8;
/// Past epochs that a policy may keep.
pub const HISTORY: u32 = 64;
/// Epochs that a group statement or a grant may carry: the current one and its history.
pub const EPOCHS: u32 = HISTORY + 1;
/// Distinct custodian accounts over the epochs of one group statement.
pub const STATEMENT_CUSTODIANS: u32 = 16;
/// Publishers on one page.
pub const PAGE: u32 = 64;
/// Pages of publishers in a group.
pub const PAGES: u32 = 64;
/// Publishers in a group.
pub const PUBLISHERS: u32 = PAGE * PAGES;
/// Items in any list that a call takes.
pub const BATCH: u32 = 256;
/// Extensions at the end of a policy, grant or statement.
pub const EXTENSIONS: u32 = 4;
/// Bytes of one extension.
pub const EXTENSION: u32 = 128;
/// Human-readable text in a response.
pub const REASON: u32 = 256;

/// A device statement, a group statement or a page of publishers.
pub const STATEMENT: usize = 8 * 1024;
/// A grant, sealed.
pub const GRANT: usize = 4 * 1024;
/// A beacon, an anchor certificate or a receipt.
pub const SMALL: usize = 512;
/// A request or a response.
pub const REQUEST: usize = 2 * 1024;
/// The largest control message with its topic and MQTT overhead: the packet limit for clients that see only those.
pub const CONTROL_PACKET: usize = 16 * 1024;
/// The largest payload that an application may seal.
pub const PAYLOAD: usize = 128 * 1024;
/// The packet limit of a client that sees protected messages.
pub const MESSAGE_PACKET: usize = PAYLOAD + 16 * 1024;

/// Messages parked per group until their epoch is known (MSG-13).
pub const PARKED_MESSAGES: usize = 256;
/// Bytes parked per group (MSG-13).
pub const PARKED_BYTES: usize = 1024 * 1024;
/// How long a message stays parked, in seconds (MSG-13).
pub const PARKED_SECONDS: u64 = 60;
/// Counters remembered behind the highest one, per sender and boot (MSG-10).
pub const WINDOW: u64 = 2048;
/// Boots remembered per sender (MSG-10).
pub const BOOTS: usize = 4;
/// Longest time between two beacons, in seconds (STM-9).
pub const BEACON_SECONDS: u32 = 60;
/// Shortest `max_silence` of a policy, in seconds: three blocks.
pub const MIN_SILENCE: u32 = 6;
