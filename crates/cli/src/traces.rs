//! Traces of what a verb does, for whoever asks for them.

use longshore_engine::Events;
use longshore_model::Result;
use longshore_service::Traces;

use crate::args::TraceArgs;
use crate::context::Context;
use crate::failure;

impl TraceArgs {
    /// The way to the collector that is named.
    pub(crate) fn open(&self) -> Result<Option<Traces>> {
        let parent = std::env::var("TRACEPARENT").ok();
        let collector = self.otlp_endpoint.as_deref();
        collector.map(|collector| Traces::to(collector, parent.as_deref())).transpose()
    }
}

/// Events, of which a trace is made too where that is asked for.
pub(crate) fn follow(
    traces: Option<&Traces>,
    events: Events,
    name: &'static str,
    context: &Context,
) -> Events {
    match traces {
        Some(traces) => traces.follow(&events, name, &context.service),
        None => events,
    }
}

/// Sends what is left. What was done is done, whether or not somebody hears of it.
pub(crate) async fn end(traces: Option<&Traces>, context: &Context) {
    if let Some(traces) = traces
        && let Err(error) = traces.end().await
    {
        failure::warn(&context.output, &error);
    }
}
