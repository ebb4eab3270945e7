//! `player-state`: reads the command line, hands it to the command, and ends with its exit code.

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};
use player_state::{
    cli::{Cli, Command, ConfigCommand, JournalCommand, Output, RulesCommand},
    config,
    exit::Exit,
    health,
    inspect::{
        self,
        backup::{self, Copied, Origin},
        repair::{self, Repair},
    },
    replay, rules, serve,
};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(exit) => {
            eprintln!("player-state: {exit}");
            exit.code()
        }
    }
}

#[expect(clippy::print_stdout, reason = "these commands are asked to print")]
fn run(command: Command) -> Result<(), Exit> {
    match command {
        Command::Serve(args) => serve::serve(&args.resolve()?.settings),
        Command::Health(args) => {
            let settings = args.resolve()?.settings;
            block_on(health::ask(&settings))?;
            println!("serving");
            Ok(())
        }
        Command::Replay { file } => {
            let summary = replay::file(&file, std::io::stdout().lock())?;
            eprintln!("{}", json(&summary)?);
            Ok(())
        }
        Command::Journal(command) => journal(command),
        Command::Rules(RulesCommand::Check { files, output }) => {
            let report = rules::check(&files);
            print!("{}", report.write(output));
            report.exit()
        }
        Command::Rules(RulesCommand::Schema) => {
            print!("{}", rules::schema());
            Ok(())
        }
        Command::Config(ConfigCommand::Print(args)) => {
            let resolved = args.resolve()?;
            print!("{}", config::print(&resolved, args.config.as_deref()));
            Ok(())
        }
        Command::Completions { shell } => {
            clap_complete::generate(
                shell,
                &mut Cli::command(),
                "player-state",
                &mut std::io::stdout(),
            );
            Ok(())
        }
    }
}

#[expect(clippy::print_stdout, reason = "these commands are asked to print")]
fn journal(command: JournalCommand) -> Result<(), Exit> {
    match command {
        JournalCommand::Verify { dir, output } => {
            let found = inspect::verify(&dir)?;
            let text = format!(
                "whole: {} records of {} hunts, {} snapshots; {} torn bytes were cut off",
                found.records, found.hunts, found.snapshots, found.torn_bytes
            );
            println!("{}", said(output, text, &found)?);
        }
        JournalCommand::Export { dir, hunt } => {
            let records = inspect::export(&dir, hunt.as_deref(), std::io::stdout().lock())?;
            eprintln!("{records} records");
        }
        JournalCommand::Backup {
            dir,
            admin,
            file,
            output,
        } => {
            let origin = match (&dir, admin) {
                (_, Some(addr)) => Origin::Admin(addr),
                (Some(dir), None) => Origin::Dir(dir),
                (None, None) => return Err(Exit::settings("neither DIR nor --admin is there")),
            };
            let saved = backup::backup(origin, file.as_deref())?;
            let said = said(output, format!("saved {}", counts(&saved)), &saved)?;
            if file.is_some() {
                println!("{said}");
            } else {
                eprintln!("{said}");
            }
        }
        JournalCommand::Repair {
            dir,
            keep_unproven,
            output,
        } => {
            let repair = repair::repair(&dir, keep_unproven)?;
            let text = match &repair {
                Repair::Whole(_) => "nothing is damaged, and nothing was changed".to_owned(),
                Repair::Repaired(repaired) => repaired.to_string(),
            };
            println!("{}", said(output, text, &repair)?);
        }
        JournalCommand::Restore { dir, file, output } => {
            let restored = backup::restore(&dir, file.as_deref())?;
            let text = format!(
                "restored {}, {} ago. What was answered after that is LOST, and hunts that began after it are missing: \
                 `canaryctl repair` lists those that the router knows of",
                counts(&restored),
                backup::ago(&restored)
            );
            println!("{}", said(output, text, &restored)?);
        }
    }
    Ok(())
}

fn counts(copied: &Copied) -> String {
    format!(
        "{} records, {} snapshots and {} ids of hunts that are gone, as of {}",
        copied.counts.records, copied.counts.snapshots, copied.counts.gone, copied.at
    )
}

fn said(output: Output, text: String, what: &impl serde::Serialize) -> Result<String, Exit> {
    match output {
        Output::Text => Ok(text),
        Output::Json => json(what),
    }
}

fn json(what: &impl serde::Serialize) -> Result<String, Exit> {
    serde_json::to_string(what).map_err(|err| Exit::runtime(err.to_string()))
}

fn block_on(command: impl Future<Output = Result<(), Exit>>) -> Result<(), Exit> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime =
        runtime.map_err(|err| Exit::runtime(format!("the runtime cannot be started: {err}")))?;
    runtime.block_on(command)
}
