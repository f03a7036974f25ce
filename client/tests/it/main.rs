//! The session against a simulated gateway: each module is one behaviour, each test breaks when its rule is removed.

mod beacons;
mod device_statements;
mod epochs;
mod extensions;
mod grants;
mod group_statements;
mod opening;
mod own_messages;
mod parking;
mod placement;
mod receipts;
mod replay;
mod requests;
mod restart;
mod restored;
mod sealing;
mod secrecy;
mod topics;
mod values;
mod wills;
mod world;
