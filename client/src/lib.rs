//! The device's side: a session that seals and opens, its key store, and keyward-agent.
