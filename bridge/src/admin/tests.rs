use super::*;
use crate::health::tests::working;

/// The pages of a bridge whose owner answers with this status, or not at all.
async fn pages(status: Option<RelayStatus>) -> (SocketAddr, Arc<Health>, Histogram) {
    let (events, mut asked) = mpsc::channel(8);
    let health = Arc::new(Health::default());
    health.saw_block(7);
    let rekey_seconds = metrics::rekey_seconds();
    tokio::spawn(async move {
        while let Some(event) = asked.recv().await {
            match (event, &status) {
                (Event::Status(to), Some(status)) => drop(to.send(status.clone())),
                (Event::Reconcile(to), Some(_)) => drop(to.send(())),
                _ => {}
            }
        }
    });
    let admin = Admin {
        events,
        health: health.clone(),
        rekey_seconds: rekey_seconds.clone(),
    };
    let address = admin.serve("127.0.0.1:0".parse().unwrap()).await.unwrap();
    (address, health, rekey_seconds)
}

async fn get_page(address: SocketAddr, path: &str) -> (u16, String) {
    match client::request_for_tests(address, path).await {
        Ok(body) => (200, body),
        Err(client::NoAnswer::Refused { status, body, .. }) => (status, body),
        Err(other) => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_bridge_that_does_its_work_is_healthy_and_ready() {
    let (address, ..) = pages(Some(working())).await;
    assert_eq!(get_page(address, "/healthz").await.0, 200);
    assert_eq!(get_page(address, "/readyz").await, (200, "ready\n".into()));
    let report = client::status(address).await.unwrap();
    assert_eq!((report.not_ready, report.relay), (None, Some(working())));
    client::reconcile(address).await.unwrap();
}

#[tokio::test]
async fn one_that_cannot_work_is_healthy_and_says_why_it_is_not_ready() {
    let blocked = RelayStatus {
        blocked: Some("the gateway is suspended".into()),
        ..working()
    };
    let (address, ..) = pages(Some(blocked)).await;
    assert_eq!(get_page(address, "/healthz").await.0, 200);
    let (status, why) = get_page(address, "/readyz").await;
    assert_eq!((status, why.as_str()), (503, "the gateway is suspended"));
}

#[tokio::test]
async fn one_that_starts_is_healthy_and_cannot_reconcile() {
    let (address, health, _) = pages(Some(working())).await;
    health.set_starting(Some("waiting for the council".into()));
    assert_eq!(get_page(address, "/healthz").await.0, 200);
    assert_eq!(get_page(address, "/readyz").await.0, 503);
    let refused = client::reconcile(address).await.unwrap_err();
    assert!(
        refused.to_string().contains("waiting for the council"),
        "{refused}"
    );
}

/// One that is started again would find the same disk.
#[tokio::test]
async fn one_whose_disk_is_full_is_healthy_and_says_so() {
    let (address, health, _) = pages(None).await;
    health.set_journal_problem(Some("database or disk is full".into()));
    assert_eq!(get_page(address, "/healthz").await.0, 200);
    let (status, why) = get_page(address, "/readyz").await;
    assert!(status == 503 && why.contains("disk is full"), "{why}");
    let refused = client::reconcile(address).await.unwrap_err();
    assert!(refused.to_string().contains("disk is full"), "{refused}");
}

#[tokio::test]
async fn one_that_hangs_is_not_healthy() {
    let (address, ..) = pages(None).await;
    assert_eq!(get_page(address, "/healthz").await.0, 503);
}

#[tokio::test]
async fn metrics_tell_everything_that_is_counted() {
    let (address, _, rekey_seconds) = pages(Some(working())).await;
    rekey_seconds.observe(2.5);
    let (_, text) = get_page(address, "/metrics").await;
    for line in [
        "keyward_bridge_ready 1",
        "keyward_bridge_finalized_block 7",
        "keyward_bridge_outbox 0",
        "keyward_bridge_retained 3",
        "keyward_bridge_republished_total 4",
        "keyward_bridge_grants_sealed_total 5",
        "keyward_bridge_refused_total{reason=\"forged\"} 2",
        "keyward_bridge_refused_total{reason=\"replayed\"} 0",
        "keyward_bridge_rekey_seconds_bucket{le=\"3.0\"} 1",
        "keyward_bridge_group_stale_members{group=\"g\"} 1",
        "keyward_bridge_group_stale_seconds{group=\"g\"} 8",
        "# EOF",
    ] {
        assert!(
            text.lines().any(|found| found == line),
            "{line} is not in:\n{text}"
        );
    }
    assert!(text.contains("keyward_bridge_seconds_since_block "));
}

#[tokio::test]
async fn where_no_bridge_runs_the_commands_say_so() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = client::status(address).await.unwrap_err();
    assert!(error.to_string().contains("keyward-bridge run"), "{error}");
}
