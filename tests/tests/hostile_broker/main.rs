//! A hostile broker stands between devices, bridge and Mosquitto ([`keyward_tests::hostile`]) and does everything that the
//! threat model leaves to it. What must come of it, by `docs/protocol.md`, and where it is asserted:
//!
//! | the broker | device | bridge |
//! |---|---|---|
//! | drops a message | reads it once the broker is honest: messages wait for it (LNK-1). `messages` | |
//! | delays one | reads it; where the policy has a `max_age`, refuses what is older (MSG-15). `messages` | |
//! | duplicates | delivers once, refuses the second as `Replayed` (MSG-10). `messages` | |
//! | reorders | delivers every message, once (MSG-10). `messages` | |
//! | truncates, flips bits, appends, sends more than a message has | delivers none of it (ENV-2, MSG-1, MSG-3, MSG-6); the genuine one is not used up by it (MSG-11). `messages` | |
//! | lies about RETAIN | delivers a live message once whatever the flag says; a retained value again only as `repeat`, and only with RETAIN; never a lower counter (MSG-10, MSG-12). `messages` | does its work; what comes without RETAIN says nothing of what is held (BRG-5). `gateway` |
//! | delivers what nobody subscribed to | shows nothing of it, believes nothing of it (STM-12). `messages` | believes nothing of it (REQ-6). `gateway` |
//! | says that there is no session where one is | subscribes again, delivers nothing twice (LNK-1, MSG-10). `messages` | subscribes again (BRG-5). `gateway` |
//! | lets somebody else take a device's client id | comes back; the other one read nothing and made nothing believed (KEY-4, MSG-6, MSG-16). `messages` | accepts nothing that the device did not sign (REQ-6, BRG-6). `gateway` |
//! | swaps statements and beacons between groups | believes none (STM-12). `statements` | |
//! | swaps grants between devices and groups | believes none (KEY-4, KEY-5), keeps messages of the new epoch for a minute (MSG-13), and reads them once it has the right one; asks for it by itself (REQ-4). `statements` | |
//! | invents a grant, or a page of publishers | believes neither (KEY-5, STM-7). `statements` | |
//! | replays statements, beacons, grants, anchors, answers | keeps the newer ones (STM-2, STM-4, STM-8, STM-11, KEY-5), believes no answer to what it does not ask (REQ-2). `statements` | |
//! | withholds beacons, or tells an old one over and over | stops to seal after `max_silence` (STM-10), though everything else still comes. `statements` | |
//! | withholds a statement that a beacon announces | does not seal with the old epoch (STM-8, MSG-14). `statements` | |
//! | withholds the grant of a new epoch from a publisher | does not seal with the old epoch (MSG-14). `statements` | |
//! | rolls a device back to an older state of everything retained | keeps its higher revision (STM-2, STM-4), seals in no older epoch (MSG-14), goes stale (STM-10). `statements` | |
//! | serves different statements of one revision, with a custodian's help | keeps the first, refuses the second and a beacon for it, reports (STM-4, STM-8). `statements` | takes the receipt for the other key to the chain (BRG-6), which records the conflict (KEX-9). `statements` |
//! | acknowledges what it does not hold | | records no delivery before it was read back (BRG-3). `gateway` |
//! | holds what it does not tell, or tells other bytes | | the same, and publishes again with pauses that grow (BRG-3, BRG-5). `gateway` |
//! | replays and invents requests and receipts | | acknowledges, counts, forgets (REQ-6, REG-4, BRG-6). `gateway` |
//! | lets somebody else take the gateway's client id | | comes back, and says `online` again (TOP-5, BRG-5). `gateway` |
//! | acknowledges nothing | says that its message may not have come. `messages` | goes on once the broker is honest (BRG-5). `gateway` |
//! | floods | hears of a removal all the same, in bounded memory (LIM-1, MSG-13). `gateway` | the same, stays ready, and clears what nobody demands (LIM-1, BRG-5). `gateway` |
//! | sends more than a packet may have | connects again (LIM-1). `gateway` | the same. `gateway` |
//!
//! After each the broker turns honest, and everything must heal within a deadline.

mod floods;
mod gateway;
mod messages;
mod scene;
mod statements;
mod two_faced;
