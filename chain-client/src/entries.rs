//! All entries of a storage map, or of those of its keys that begin alike.

use keyward_protocol::BlockHash;

use crate::{
    rpc::{Entry, Rpc, RpcFailed},
    view::LONGEST,
};

/// Reads entry after entry, page by page; keys come without `prefix`.
pub(crate) async fn entries(
    rpc: &dyn Rpc,
    what: &str,
    prefix: &[u8],
    at: BlockHash,
) -> Result<Vec<Entry>, RpcFailed> {
    let malformed = |reason: &str| RpcFailed::Malformed {
        reason: format!("{reason} {what}"),
    };
    let mut all = Vec::new();
    let mut after: Option<Vec<u8>> = None;
    loop {
        let page = rpc.entries(prefix, after.as_deref(), at).await?;
        let Some(last) = page.iter().map(|(key, _)| key).max() else {
            return Ok(all);
        };
        if after.as_ref().is_some_and(|after| last <= after) || all.len() > LONGEST {
            return Err(malformed("there is no end to the list of"));
        }
        after = Some(last.clone());
        for (key, value) in page {
            let rest = key.strip_prefix(prefix);
            let rest = rest.ok_or_else(|| malformed("another key in the list of"))?;
            all.push((rest.to_vec(), value));
        }
    }
}
