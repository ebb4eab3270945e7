//! One trace goes from the caller's span into the engine, to a collector over OTLP.

mod common;

use std::time::{Duration, Instant};

use common::{Start, eventually};
use opentelemetry_proto::tonic::{
    collector::trace::v1::{
        ExportTraceServiceRequest, ExportTraceServiceResponse,
        trace_service_server::{TraceService, TraceServiceServer},
    },
    common::v1::any_value::Value,
};
use player_state::pb::{GetRecordRequest, event_feed_service_client::EventFeedServiceClient};
use tokio::sync::mpsc;
use tonic::{Request, Response, Status, transport::server::TcpIncoming};

const TRACE_ID: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT_ID: &str = "b7ad6b7169203331";

/// A collector that hands on what it gets.
struct Collector(mpsc::UnboundedSender<ExportTraceServiceRequest>);

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        // The test may be over.
        let _ = self.0.send(request.into_inner());
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

async fn collector() -> (String, mpsc::UnboundedReceiver<ExportTraceServiceRequest>) {
    let (sender, received) = mpsc::unbounded_channel();
    let incoming = TcpIncoming::bind(([127, 0, 0, 1], 0).into()).expect("a port");
    let endpoint = format!("http://{}", incoming.local_addr().expect("an address"));
    let service = TraceServiceServer::new(Collector(sender));
    tokio::spawn(
        tonic::transport::Server::builder()
            .add_service(service)
            .serve_with_incoming(incoming),
    );
    (endpoint, received)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_a_child_of_its_callers_span() {
    let (endpoint, mut received) = collector().await;
    let start = Start::new()
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint)
        .env("OTEL_BSP_SCHEDULE_DELAY", "50");
    let sidecar = start.env("OTEL_SERVICE_NAME", "shard-7").ready();

    let client = sidecar.connect().await;
    let mut feed = EventFeedServiceClient::with_origin(client.service(), common::origin());
    let mut request = Request::new(GetRecordRequest {
        hunt_id: "hunt".to_owned(),
        sequence: 1,
    });
    let traceparent = format!("00-{TRACE_ID}-{PARENT_ID}-01");
    request
        .metadata_mut()
        .insert("traceparent", traceparent.parse().expect("a header"));
    request
        .metadata_mut()
        .insert("grpc-timeout", "1S".parse().expect("a header"));
    feed.get_record(request).await.expect_err("no such hunt");

    let exported = tokio::time::timeout(common::PATIENCE, received.recv())
        .await
        .expect("in time")
        .expect("spans");
    let spans = &exported.resource_spans[0];
    let service = spans
        .resource
        .iter()
        .flat_map(|resource| &resource.attributes)
        .find(|pair| pair.key == "service.name");
    let service = service.and_then(|pair| pair.value.clone()?.value);
    assert_eq!(service, Some(Value::StringValue("shard-7".to_owned())));
    let span = &spans.scope_spans[0].spans[0];
    assert_eq!(
        span.name,
        "treasurehunt.playerstate.v1.EventFeedService/GetRecord"
    );
    assert_eq!(
        (hex(&span.trace_id), hex(&span.parent_span_id)),
        (TRACE_ID.to_owned(), PARENT_ID.to_owned())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_left_is_sent_at_the_end() {
    let (endpoint, mut received) = collector().await;
    let start = Start::new()
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint)
        .env("OTEL_BSP_SCHEDULE_DELAY", "600000");
    let mut sidecar = start.ready();
    sidecar
        .connect()
        .await
        .get_record("hunt", &["1S"])
        .await
        .expect_err("no such hunt");
    sidecar.terminate();
    assert_eq!(sidecar.ended().code(), Some(0));
    received
        .try_recv()
        .expect("the span was sent before the end");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_never_answers_costs_no_call_and_no_end() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let endpoint = format!("http://{}", silent.local_addr().expect("an address"));
    let start = Start::new()
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint)
        .env("OTEL_BSP_SCHEDULE_DELAY", "1");
    let mut sidecar = start.env("OTEL_BSP_MAX_QUEUE_SIZE", "4").ready();
    let client = sidecar.connect().await;
    for _ in 0..100 {
        let status = client
            .get_record("hunt", &["1S"])
            .await
            .expect_err("no such hunt");
        assert_eq!(status.code(), tonic::Code::NotFound, "{status}");
    }
    eventually(|| match sidecar.log().contains("opentelemetry") {
        true => Ok(()),
        false => Err("spans are dropped without a word".to_owned()),
    });
    drop(client);
    let began = Instant::now();
    sidecar.terminate();
    assert_eq!(sidecar.ended().code(), Some(0));
    assert!(
        began.elapsed() < Duration::from_secs(1),
        "{:?}",
        began.elapsed()
    );
}
