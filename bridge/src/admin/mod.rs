//! Admin pages, on loopback only.
//!
//! | page | what |
//! |---|---|
//! | `GET /healthz` | 200 while the process does its work, else 503: restart it |
//! | `GET /readyz` | 200 while chain and broker are followed, else 503 with the reason |
//! | `GET /metrics` | for Prometheus (OpenMetrics text) |
//! | `GET /status` | everything, as JSON: `keyward-bridge status` |
//! | `POST /reconcile` | compares everything anew: `keyward-bridge reconcile` |

pub mod client;
pub mod metrics;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    extract::State,
    http::{header::CONTENT_TYPE, StatusCode},
    response::IntoResponse,
    routing::{get, post},
    Json, Router,
};
use prometheus_client::metrics::histogram::Histogram;
use serde::{Deserialize, Serialize};
use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot},
};

use crate::{health::Health, owner::Event, relay::RelayStatus};

/// How long the owner may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// How the whole bridge stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Version of the program.
    pub version: String,
    /// Why it does not do its work now; none: it does.
    pub not_ready: Option<String>,
    /// Seconds since the newest finalized block was seen.
    pub seconds_since_block: Option<f64>,
    /// How the relay stands; none while the bridge is starting, or when it hangs.
    pub relay: Option<RelayStatus>,
}

/// Why the admin pages are not served.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot serve the admin pages at {address}: {source}; free the port, or change admin.listen"
)]
pub struct NotServed {
    /// Where.
    pub address: SocketAddr,
    /// Why.
    pub source: std::io::Error,
}

/// What the pages know.
#[derive(Clone)]
pub struct Admin {
    /// The way to the owner.
    pub events: mpsc::Sender<Event>,
    /// What the adapters report.
    pub health: Arc<Health>,
    /// Time from an epoch's block to its last acknowledgement.
    pub rekey_seconds: Histogram,
}

impl Admin {
    /// Serves the pages from a task of its own.
    ///
    /// # Errors
    /// When the address is in use.
    pub async fn serve(self, address: SocketAddr) -> Result<SocketAddr, NotServed> {
        let failed = |source| NotServed { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let bound = listener.local_addr().map_err(failed)?;
        let pages = Router::new()
            .route("/healthz", get(healthz))
            .route("/readyz", get(readyz))
            .route("/metrics", get(metrics_page))
            .route("/status", get(status))
            .route("/reconcile", post(reconcile))
            .with_state(self);
        tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, pages).await {
                tracing::error!(%error, "the admin pages are gone");
            }
        });
        Ok(bound)
    }

    async fn ask<T>(&self, question: impl FnOnce(oneshot::Sender<T>) -> Event) -> Option<T> {
        let (to, answer) = oneshot::channel();
        let asking = async {
            self.events.send(question(to)).await.ok()?;
            answer.await.ok()
        };
        tokio::time::timeout(PATIENCE, asking).await.ok().flatten()
    }

    async fn report(&self) -> Report {
        let relay = match self.health.starting().or(self.health.journal_problem()) {
            Some(_) => None,
            None => self.ask(Event::Status).await,
        };
        Report {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            not_ready: self.health.not_ready(relay.as_ref()),
            seconds_since_block: self.health.since_block().map(|since| since.as_secs_f64()),
            relay,
        }
    }
}

async fn healthz(State(admin): State<Admin>) -> impl IntoResponse {
    let report = admin.report().await;
    // To start it again heals neither.
    let waits = admin.health.starting().or(admin.health.journal_problem());
    match report.relay.is_some() || waits.is_some() {
        true => (StatusCode::OK, "ok\n".to_owned()),
        false => (
            StatusCode::SERVICE_UNAVAILABLE,
            "the bridge does not answer itself\n".to_owned(),
        ),
    }
}

async fn readyz(State(admin): State<Admin>) -> impl IntoResponse {
    match admin.report().await.not_ready {
        None => (StatusCode::OK, "ready\n".to_owned()),
        Some(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
    }
}

async fn metrics_page(State(admin): State<Admin>) -> impl IntoResponse {
    let text = metrics::encode(&admin.report().await, &admin.rekey_seconds);
    ([(CONTENT_TYPE, metrics::FORMAT)], text)
}

async fn status(State(admin): State<Admin>) -> Json<Report> {
    Json(admin.report().await)
}

async fn reconcile(State(admin): State<Admin>) -> impl IntoResponse {
    let starting = admin.health.starting().or(admin.health.journal_problem());
    if starting.is_none() && admin.ask(Event::Reconcile).await.is_some() {
        return (
            StatusCode::ACCEPTED,
            "comparing everything anew\n".to_owned(),
        );
    }
    let why = starting.unwrap_or_else(|| "the bridge does not answer itself".to_owned());
    (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n"))
}

#[cfg(test)]
mod tests;
