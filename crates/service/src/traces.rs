//! Runs as traces of OpenTelemetry: a span for the run, in it one for each stage, and in that of the copy one for each
//! chunk. They hold names, counts and times, like the events that they are made of.
//!
//! The library reads what operators set for every program that sends traces, such as `OTEL_EXPORTER_OTLP_HEADERS`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use longshore_engine::report::Outcome;
use longshore_engine::{Event, Events};
use longshore_image::registry::http_client;
use longshore_model::{Code, Error, Result};
use opentelemetry::propagation::TextMapPropagator as _;
use opentelemetry::trace::{
    Span as _, SpanKind, Status, TraceContextExt as _, Tracer as _, TracerProvider as _,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider, Span};
use tokio::runtime::Handle;

use crate::{Service, without_password};

/// The longest that spans may take to be sent.
const PATIENCE: Duration = Duration::from_secs(5);

/// The way to a collector of traces.
#[derive(Debug, Clone)]
pub struct Traces {
    provider: SdkTracerProvider,
    parent: Context,
}

impl Traces {
    /// Traces go to the collector at an address, by OTLP over HTTP. With a parent, as the header `traceparent` has it,
    /// they are parts of its trace.
    pub fn to(collector: &str, parent: Option<&str>) -> Result<Self> {
        let wrong = |why: &dyn std::fmt::Display| {
            Error::new(Code::Usage, "the collector of traces is not understood")
                .with("address", without_password(collector))
                .because(std::io::Error::other(why.to_string()))
                .hint("Write it as http://HOST:4318: OTLP over HTTP.")
        };
        let url: reqwest::Url = collector.parse().map_err(|error| wrong(&error))?;
        if !["http", "https"].contains(&url.scheme()) {
            return Err(wrong(&"it is none of HTTP"));
        }
        let is_here = url.host_str().is_some_and(|host| host == "localhost" || host == "127.0.0.1");
        let client = Client { http: http_client(None, is_here)?, runtime: Handle::current() };
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(client)
            .with_endpoint(format!("{}/v1/traces", collector.trim_end_matches('/')))
            .build()
            .map_err(|error| wrong(&error))?;
        let about = Resource::builder()
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .with_service_name("longshore")
            .build();
        let provider =
            SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(about);
        let carrier = parent.map(|parent| ("traceparent".to_string(), parent.to_string()));
        let carrier: HashMap<String, String> = carrier.into_iter().collect();
        let parent = TraceContextPropagator::new().extract_with_context(&Context::new(), &carrier);
        Ok(Self { provider: provider.build(), parent })
    }

    /// The same events, of which a trace is made too. `name` is what is done: `run`, `verify`.
    pub fn follow(&self, events: &Events, name: &'static str, service: &Arc<Service>) -> Events {
        let tracer = self.provider.tracer("longshore");
        let whole = tracer.span_builder(name).with_kind(SpanKind::Internal);
        let whole = self.parent.with_span(whole.start_with_context(&tracer, &self.parent));
        let state = State { tracer, stage: whole.clone(), whole, open: HashMap::new() };
        let (state, service) = (Mutex::new(state), service.clone());
        events.also(move |_, event| {
            state.lock().unwrap_or_else(PoisonError::into_inner).listen(event, &service);
        })
    }

    /// Sends what is left.
    pub async fn end(&self) -> Result<()> {
        let provider = self.provider.clone();
        let sent = tokio::task::spawn_blocking(move || {
            provider.force_flush()?;
            provider.shutdown_with_timeout(PATIENCE)
        });
        let lost = |why: String| {
            Error::new(Code::Io, "traces could not be sent").because(std::io::Error::other(why))
        };
        match sent.await {
            Ok(sent) => sent.map_err(|error| lost(error.to_string())),
            Err(error) => Err(lost(error.to_string())),
        }
    }
}

/// What is open of a trace.
struct State {
    tracer: SdkTracer,
    whole: Context,
    stage: Context,
    /// Studies of tables, and chunks of them.
    open: HashMap<(String, Option<usize>), Span>,
}

impl State {
    fn listen(&mut self, event: &Event, service: &Service) {
        let clean = |text: &String| service.secrets().redact(text);
        match event {
            Event::RunStarted { run, name, version, plan, resumed } => {
                self.whole.span().set_attributes([
                    text("run", run),
                    text("migration", name),
                    text("version", version),
                    text("plan", plan),
                    KeyValue::new("longshore.resumed", *resumed),
                ]);
            }
            Event::StudyStarted { table } => self.begin("study", table, None, vec![]),
            Event::StudyDone { table, rows, bytes, .. } => {
                self.done(table, None, vec![count("rows", *rows), count("bytes", *bytes)]);
            }
            Event::StageStarted { stage } => {
                let span = self.tracer.span_builder(stage.as_str());
                let span = span.start_with_context(&self.tracer, &self.whole);
                self.stage = self.whole.with_span(span);
            }
            Event::StageDone { .. } => {
                self.stage.span().end();
                self.stage = self.whole.clone();
            }
            Event::ChunkStarted { table, chunk, worker } => {
                self.begin("chunk", table, Some(*chunk), vec![number("worker", *worker)]);
            }
            Event::ChunkDone { table, chunk, rows, rejected, bytes, .. } => {
                let counts = [("rows", rows), ("rejected", rejected), ("bytes", bytes)];
                let counts = counts.map(|(name, value)| count(name, *value));
                self.done(table, Some(*chunk), counts.to_vec());
            }
            Event::ChunkRetry { table, chunk, attempt, error, .. } => {
                let about =
                    vec![number("attempt", *attempt as usize), text("error", &clean(error))];
                if let Some(span) = self.open.get_mut(&(table.clone(), Some(*chunk))) {
                    span.add_event("retry", about);
                }
            }
            Event::ChunkDropped { table, chunk, error, .. } => {
                if let Some(mut span) = self.open.remove(&(table.clone(), Some(*chunk))) {
                    span.set_status(Status::error(clean(error)));
                }
            }
            Event::MoveRetry { attempt, error, .. } => {
                // Chunks that were open are taken back.
                self.open.clear();
                let about =
                    vec![number("attempt", *attempt as usize), text("error", &clean(error))];
                self.whole.span().add_event("retry", about);
            }
            Event::TableReset { table } => self.say("table-reset", vec![text("table", table)]),
            Event::StatementDone { purpose } => {
                self.say("statement", vec![text("purpose", purpose)])
            }
            Event::TableVerified { table, rows, matches } => {
                let equal = KeyValue::new("longshore.equal", *matches);
                self.say("table", vec![text("table", table), count("rows", *rows), equal]);
            }
            Event::RunDone { outcome, .. } => {
                self.open.clear();
                let span = self.whole.span();
                span.set_attribute(text("outcome", outcome.as_str()));
                span.set_status(match matches!(outcome, Outcome::Verified | Outcome::Copied) {
                    true => Status::Ok,
                    false => Status::error(outcome.as_str()),
                });
                span.end();
            }
            _ => {}
        }
    }

    fn begin(
        &mut self,
        name: &'static str,
        table: &str,
        chunk: Option<usize>,
        about: Vec<KeyValue>,
    ) {
        let mut about = about;
        about.push(text("table", table));
        about.extend(chunk.map(|chunk| number("chunk", chunk)));
        let span = self.tracer.span_builder(name).with_attributes(about);
        let span = span.start_with_context(&self.tracer, &self.stage);
        self.open.insert((table.to_string(), chunk), span);
    }

    fn done(&mut self, table: &str, chunk: Option<usize>, about: Vec<KeyValue>) {
        if let Some(mut span) = self.open.remove(&(table.to_string(), chunk)) {
            span.set_attributes(about);
            span.end();
        }
    }

    fn say(&self, name: &'static str, about: Vec<KeyValue>) {
        self.stage.span().add_event(name, about);
    }
}

fn text(name: &str, value: &str) -> KeyValue {
    KeyValue::new(format!("longshore.{name}"), value.to_string())
}

fn number(name: &str, value: usize) -> KeyValue {
    count(name, u64::try_from(value).unwrap_or(u64::MAX))
}

fn count(name: &str, value: u64) -> KeyValue {
    KeyValue::new(format!("longshore.{name}"), i64::try_from(value).unwrap_or(i64::MAX))
}

/// Requests of the library's own thread, on the runtime of everything else.
#[derive(Debug)]
struct Client {
    http: reqwest::Client,
    runtime: Handle,
}

#[async_trait::async_trait]
impl HttpClient for Client {
    async fn send_bytes(
        &self,
        request: Request<Bytes>,
    ) -> std::result::Result<Response<Bytes>, HttpError> {
        let http = self.http.clone();
        let sent = self.runtime.spawn(async move {
            let mut request: reqwest::Request = request.try_into()?;
            *request.timeout_mut() = Some(PATIENCE);
            // Addresses may hold a password.
            let answer = http.execute(request).await.map_err(reqwest::Error::without_url)?;
            let status = answer.status();
            let bytes = answer.bytes().await.map_err(reqwest::Error::without_url)?;
            let mut told = Response::new(bytes);
            *told.status_mut() = status;
            Ok(told)
        });
        sent.await?
    }
}
