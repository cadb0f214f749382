//! The binary `longshore`: arguments to the service, answers to the terminal. Only this crate
//! touches the terminal, the environment and the current folder.

mod args;
mod commands;
mod context;
mod demo;
mod failpoint;
mod failure;
mod interrupt;
mod output;
mod progress;
mod reference;
mod summary;
mod traces;

use std::process::ExitCode;
use std::time::Duration;

use args::{Cli, RegistryVerb, Verb};
use clap::{CommandFactory, Parser};
use context::Context;
use failure::DONE;
use longshore_model::{Code, Error, Result};
use output::Output;

#[expect(unsafe_code, reason = "a name of a section that nothing else has")]
/// What this binary was built of, where tools that look for known defects find it too.
#[used]
#[unsafe(link_section = ".dep-v0")]
static PACKAGES: [u8; include_bytes!(concat!(env!("OUT_DIR"), "/packages.zlib")).len()] =
    *include_bytes!(concat!(env!("OUT_DIR"), "/packages.zlib"));

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // A reader that has gone needs no help text.
            let _ = error.print();
            if error.use_stderr() && std::env::args_os().any(|arg| arg == "--json") {
                let usage = Error::new(Code::Usage, "the command line is wrong");
                failure::print_json(
                    &Output::of_process(),
                    &usage.because(error.kind().to_string()),
                );
            }
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(1));
        }
    };
    failpoint::install(&cli.global.failpoint);
    if cli.global.end_with_input {
        interrupt::leave_with_input();
    }
    let output = Output::of_process();
    // What confines itself must do so before it has threads.
    if let Verb::Confined(verb) = &cli.verb {
        return ExitCode::from(match commands::confined(verb) {
            Ok(()) => DONE,
            Err(error) => {
                failure::show(&output, &error, false);
                failure::exit_of(error.kind())
            }
        });
    }
    let result = start(&cli, &output).and_then(|code| {
        output.close()?;
        Ok(code)
    });
    ExitCode::from(result.unwrap_or_else(|error| {
        failure::show(&output, &error, cli.global.json);
        failure::exit_of(error.kind())
    }))
}

fn start(cli: &Cli, output: &Output) -> Result<u8> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::io("start the runtime", "threads", error))?;
    let result = runtime.block_on(perform(cli, output));
    // Work that was dropped half-way ends by itself; a blocked system call must not hold us.
    runtime.shutdown_timeout(Duration::from_secs(2));
    result
}

async fn perform(cli: &Cli, output: &Output) -> Result<u8> {
    let context = Context::new(&cli.global, output);
    match &cli.verb {
        Verb::Init(args) => commands::init(args, &context).await,
        Verb::Copy(args) => commands::copy(args, &context).await,
        Verb::Plan(args) => commands::plan(args, &context).await,
        Verb::Run(args) => commands::run(args, &context).await,
        Verb::Verify(args) => commands::verify(args, &context).await,
        Verb::Build(args) => commands::build(args, &context).await,
        Verb::Images(args) => commands::images(args, &context),
        Verb::Tag(args) => commands::tag(args, &context),
        Verb::Rm(args) => commands::rm(args, &context),
        Verb::Diff(args) => commands::diff(args, &context),
        Verb::Inspect(args) => commands::inspect(args, &context).await,
        Verb::Push(args) => commands::push(args, &context).await,
        Verb::Pull(args) => commands::pull(args, &context).await,
        Verb::Tags(args) => commands::tags(args, &context).await,
        Verb::Promote(args) => commands::promote(args, &context).await,
        Verb::Key(args) => commands::key(args, &context),
        Verb::Sign(args) => commands::sign(args, &context),
        Verb::Attest(args) => commands::attest(args, &context),
        Verb::Evidence(args) => commands::evidence(args, &context).await,
        Verb::Deploy(args) => commands::deploy(args, &context).await,
        Verb::Status(args) => commands::status(args, &context).await,
        Verb::Logs(args) => commands::logs(args, &context).await,
        Verb::Stop(args) => commands::stop(args, &context).await,
        Verb::Undeploy(args) => commands::undeploy(args, &context).await,
        Verb::Confined(verb) => commands::confined(verb).map(|()| DONE),
        Verb::Registry(verb) => match verb {
            RegistryVerb::Serve(args) => commands::serve_registry(args, &context).await,
            RegistryVerb::Gc(args) => commands::gc(args, &context),
            RegistryVerb::Retention(args) => commands::retention(args, &context),
            RegistryVerb::Hold(args) => commands::hold(args, &context),
            RegistryVerb::Du(args) => commands::du(args, &context),
            RegistryVerb::Check(args) => commands::check(args, &context).await,
            RegistryVerb::Mirror(args) => commands::mirror(args, &context).await,
        },
        Verb::Serve(args) => commands::serve(args, &context).await,
        Verb::Token(args) => commands::token(args, &context),
        Verb::Report(args) => commands::report(args, &context),
        Verb::Demo(args) => demo::demo(args, &context).await,
        Verb::Explain { code } => commands::explain(code.as_deref(), &context),
        Verb::Completion { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "longshore", &mut script);
            output.print(&String::from_utf8_lossy(&script));
            Ok(DONE)
        }
        Verb::Man => {
            output.print(&reference::manual()?);
            Ok(DONE)
        }
        Verb::Reference { folder } => {
            reference::write(folder, &context).await?;
            Ok(DONE)
        }
    }
}
