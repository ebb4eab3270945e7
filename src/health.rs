//! `player-state health`: asks a running process whether it serves, as a probe of an orchestrator does.

use std::time::Duration;

use tonic::{Code, Request, transport::Endpoint};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

use crate::{
    config::{Listen, Settings},
    exit::Exit,
};

/// How long a probe waits: a process that does not answer in this time does not serve.
const PROBE_MAX: Duration = Duration::from_secs(1);

/// Asks the first of the places that the settings listen on.
///
/// # Errors
/// 69 if it does not answer or does not serve; 78 if there is no place to ask.
pub async fn ask(settings: &Settings) -> Result<(), Exit> {
    let place = settings.listen.first().ok_or_else(|| {
        Exit::settings("listen: there is nowhere to ask; type --listen as the process was given it")
    })?;
    let not_serving = |why: String| Exit::dependency(format!("{place}: {why}"));
    let answer = tokio::time::timeout(PROBE_MAX, check(place)).await;
    match answer {
        Err(_) => Err(not_serving(format!("no answer within {PROBE_MAX:?}"))),
        Ok(Err(why)) => Err(not_serving(why)),
        Ok(Ok(ServingStatus::Serving)) => Ok(()),
        Ok(Ok(status)) => Err(not_serving(format!(
            "{}; /readyz of its admin port says why",
            status.as_str_name()
        ))),
    }
}

async fn check(place: &Listen) -> Result<ServingStatus, String> {
    let uri = match place {
        Listen::Unix(path) => format!("unix:{}", path.display()),
        Listen::Tcp(addr) => format!("http://{addr}"),
    };
    let endpoint = Endpoint::from_shared(uri).map_err(|err| err.to_string())?;
    let channel = endpoint.connect().await.map_err(|err| root_cause(&err))?;
    let mut request = Request::new(HealthCheckRequest::default());
    request.set_timeout(PROBE_MAX);
    let answer = HealthClient::new(channel).check(request).await;
    match answer {
        Ok(answer) => Ok(answer.into_inner().status()),
        Err(status) if status.code() == Code::NotFound => Ok(ServingStatus::NotServing),
        Err(status) => Err(status.message().to_owned()),
    }
}

/// What lies at the bottom of an error: a transport's own text is only "transport error".
fn root_cause(err: &dyn std::error::Error) -> String {
    let inner = std::iter::successors(err.source(), |err| err.source());
    inner.last().unwrap_or(err).to_string()
}
