//! Runs as traces of OpenTelemetry, as a collector gets them.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::{Span, status::StatusCode};
use prost::Message as _;
use serde_json::json;

use crate::restart::signal;
use crate::serve::server::Server;
use crate::stage::{Ran, Stage};

const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// Listens like a collector, and keeps what it is sent.
struct Collector {
    address: String,
    bodies: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Collector {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("an address"));
        let bodies = Arc::<Mutex<Vec<Vec<u8>>>>::default();
        let kept = bodies.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = BufReader::new(stream.expect("a connection"));
                let mut head = String::new();
                while !head.ends_with("\r\n\r\n") {
                    assert!(stream.read_line(&mut head).expect("a head") > 0, "{head}");
                }
                assert!(head.starts_with("POST /v1/traces "), "{head}");
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
                let length = length.expect("a length").parse().expect("a number");
                let mut body = vec![0; length];
                stream.read_exact(&mut body).expect("a body");
                kept.lock().expect("bodies").push(body);
                let answer = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
                stream.get_mut().write_all(answer.as_bytes()).expect("it reads");
            }
        });
        Self { address, bodies }
    }

    /// The spans that came, of one program.
    fn spans(&self) -> Vec<Span> {
        let mut spans = Vec::new();
        for body in self.bodies.lock().expect("bodies").drain(..) {
            let text = String::from_utf8_lossy(&body);
            assert!(!text.contains("Bestellung"), "no value of a row");
            let request = ExportTraceServiceRequest::decode(&body[..]).expect("OTLP");
            for one in request.resource_spans {
                let about = one.resource.expect("a resource").attributes;
                assert_eq!(word(&about, "service.name").as_deref(), Some("longshore"));
                spans.extend(one.scope_spans.into_iter().flat_map(|scope| scope.spans));
            }
        }
        spans
    }
}

fn value(about: &[KeyValue], name: &str) -> Option<Value> {
    about.iter().find(|one| one.key == name)?.value.clone()?.value
}

fn word(about: &[KeyValue], name: &str) -> Option<String> {
    match value(about, name) {
        Some(Value::StringValue(text)) => Some(text),
        _ => None,
    }
}

fn number(span: &Span, name: &str) -> i64 {
    match value(&span.attributes, name) {
        Some(Value::IntValue(number)) => number,
        other => panic!("{name} of {span:?} is {other:?}"),
    }
}

fn one<'a>(spans: &'a [Span], name: &str) -> &'a Span {
    let found: Vec<&Span> = spans.iter().filter(|span| span.name == name).collect();
    assert_eq!(found.len(), 1, "{name}: {found:?}");
    found[0]
}

fn status(span: &Span) -> StatusCode {
    span.status.as_ref().map_or(StatusCode::Unset, |status| status.code())
}

const FILE: &str = "longshore: v1\nname: shop\nmoves: [{from: 'sqlite:shop.db', to: 'sqlite:copy.db'}]\nlimits: {chunk: 16KiB}\n";

#[test]
fn a_run_is_a_trace_of_stages_and_chunks() {
    let (stage, collector) = (Stage::shop(2000), Collector::start());
    stage.write("m.yaml", FILE);
    let how = ["run", "m.yaml", "--otlp-endpoint", &collector.address];
    let ran: Ran = stage.command(&how).env("TRACEPARENT", PARENT).output().expect("it runs").into();
    assert_eq!((ran.code, ran.err.contains("warning")), (Some(0), false), "{}", ran.err);
    let spans = collector.spans();
    let whole = one(&spans, "run");
    assert_eq!(status(whole), StatusCode::Ok);
    assert_eq!(word(&whole.attributes, "longshore.outcome").as_deref(), Some("verified"));
    assert_eq!(word(&whole.attributes, "longshore.migration").as_deref(), Some("shop"));
    assert!(ran.out.contains(&word(&whole.attributes, "longshore.run").expect("a run")));
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    assert_eq!(hex(&whole.parent_span_id), "b7ad6b7169203331");
    for stage in ["prepare", "copy", "finish", "verify"] {
        let stage = one(&spans, stage);
        assert_eq!(stage.parent_span_id, whole.span_id);
        assert!(whole.start_time_unix_nano <= stage.start_time_unix_nano);
        assert!(stage.end_time_unix_nano <= whole.end_time_unix_nano, "{stage:?} {whole:?}");
    }
    let chunks: Vec<&Span> = spans.iter().filter(|span| span.name == "chunk").collect();
    assert!(chunks.len() > 3, "{chunks:?}");
    let copy = one(&spans, "copy");
    assert!(chunks.iter().all(|chunk| chunk.parent_span_id == copy.span_id));
    let rows: i64 = chunks.iter().map(|chunk| number(chunk, "longshore.rows")).sum();
    assert_eq!(rows, 2000 + 22);
    assert!(spans.iter().all(|span| hex(&span.trace_id) == "0af7651916cd43dd8448eb211c80319c"));
    let checked = one(&spans, "verify").events.iter().filter(|event| event.name == "table").count();
    assert_eq!(checked, 3);
    // What ends badly is an error in the trace too.
    stage.sql("copy.db", "UPDATE orders SET note = 'other' WHERE id = 7");
    let found = stage.run(&["verify", "m.yaml", "--otlp-endpoint", &collector.address]);
    assert_eq!(found.code, Some(3), "{}", found.err);
    let spans = collector.spans();
    let whole = spans.iter().find(|span| span.parent_span_id.is_empty()).expect("a whole");
    assert_eq!(status(whole), StatusCode::Error, "{whole:?}");
}

#[test]
fn a_server_traces_what_it_runs() {
    let (stage, collector) = (Stage::shop(10), Collector::start());
    let mut server = Server::start(&stage, &["--otlp-endpoint", &collector.address]);
    let admin = server.admin();
    let link = |name: &str| format!("sqlite:{}", stage.join(name).display());
    let order = json!({ "source": link("shop.db"), "target": link("copy.db") });
    let (code, told) = admin.post("/migrate", &order);
    assert_eq!((code, &told["status"]), (200, &json!("verified")), "{told}");
    signal(&server.child, "-TERM");
    assert!(server.child.wait().expect("it ends").success());
    let spans = collector.spans();
    let whole = one(&spans, "run");
    assert_eq!(status(whole), StatusCode::Ok);
    assert!(whole.parent_span_id.is_empty());
    assert_eq!(spans.iter().filter(|span| span.name == "chunk").count(), 3);
}

#[test]
fn a_collector_that_is_not_there_does_not_end_a_run() {
    let stage = Stage::shop(10);
    stage.write("m.yaml", FILE);
    let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let nowhere = format!("http://{port}");
    let ran = stage.done(&["run", "m.yaml", "--otlp-endpoint", &nowhere]);
    assert!(ran.err.contains("traces could not be sent"), "{}", ran.err);
    stage.same("shop.db", "copy.db");
    for wrong in ["127.0.0.1:4318", "grpc://me:hunter2@127.0.0.1:4317", ""] {
        let refused = stage.run(&["run", "m.yaml", "--otlp-endpoint", wrong]);
        assert_eq!(refused.code, Some(2), "{wrong}: {}", refused.err);
        assert!(refused.err.contains("http://HOST:4318"), "{}", refused.err);
        assert!(!refused.err.contains("hunter2"), "{}", refused.err);
    }
}
