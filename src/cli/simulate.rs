use super::{Done, common::Global};
#[derive(Debug, clap::Args)]
pub(super) struct Args {}
pub(super) async fn run(_global: &Global, _args: Args) -> anyhow::Result<Done> { Ok(Done::Clean) }
