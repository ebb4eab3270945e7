//! Which service a call is for.

use std::convert::Infallible;

use futures_util::future::Either;
use http::{Request, Response};
use hyper::service::Service;
use tonic::{body::Body, server::NamedService};
use tonic_health::pb::health_server::{Health, HealthServer};
use tower::Service as _;

use super::{
    Services,
    server::{
        event_feed_service_server::EventFeedServiceServer,
        ownership_service_server::OwnershipServiceServer,
        player_state_service_server::PlayerStateServiceServer,
    },
};
use crate::{edge::methods::OUR_SERVICES, pb};

/// All services that are served. The way of commands is one comparison; that of all others is tonic's router, which
/// costs a call about a microsecond.
#[derive(Clone)]
pub struct Routes {
    commands: PlayerStateServiceServer<Services>,
    others: tonic::service::Routes,
}

impl Routes {
    /// Our services, health and reflection. None takes or gives a message over `cap` bytes.
    ///
    /// # Errors
    /// The schema that reflection is to show is none.
    pub fn new(
        services: Services,
        health: HealthServer<impl Health>,
        cap: usize,
    ) -> Result<Self, tonic_reflection::server::Error> {
        let commands = PlayerStateServiceServer::new(services.clone())
            .max_decoding_message_size(cap)
            .max_encoding_message_size(cap);
        let feed = EventFeedServiceServer::new(services.clone())
            .max_decoding_message_size(cap)
            .max_encoding_message_size(cap);
        let ownership = OwnershipServiceServer::new(services)
            .max_decoding_message_size(cap)
            .max_encoding_message_size(cap);
        let health = health
            .max_decoding_message_size(cap)
            .max_encoding_message_size(cap);
        let others = tonic::service::Routes::new(feed)
            .add_service(ownership)
            .add_service(health);
        Ok(Self {
            commands,
            others: reflection(others, cap)?.prepare(),
        })
    }
}

/// Reflection of what is served, in both versions of its protocol: older tools speak only the first.
fn reflection(
    routes: tonic::service::Routes,
    cap: usize,
) -> Result<tonic::service::Routes, tonic_reflection::server::Error> {
    let builder = || {
        let services = OUR_SERVICES.into_iter().chain(["grpc.health.v1.Health"]);
        let builder = tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(pb::DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET) // of our errors' details
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET);
        services.fold(builder, |builder, service| {
            builder.with_service_name(service)
        })
    };
    let current = builder().build_v1()?;
    let old = builder().build_v1alpha()?;
    Ok(routes
        .add_service(
            current
                .max_decoding_message_size(cap)
                .max_encoding_message_size(cap),
        )
        .add_service(
            old.max_decoding_message_size(cap)
                .max_encoding_message_size(cap),
        ))
}

type Commands = PlayerStateServiceServer<Services>;

impl Service<Request<Body>> for Routes {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Either<
        <Commands as tower::Service<Request<Body>>>::Future,
        <tonic::service::Routes as tower::Service<Request<Body>>>::Future,
    >;

    // Both are ready at all times, so nobody asks them.
    fn call(&self, request: Request<Body>) -> Self::Future {
        let service = request.uri().path().trim_start_matches('/');
        let service = service.split_once('/').map(|(service, _)| service);
        if service == Some(Commands::NAME) {
            Either::Left(self.commands.clone().call(request))
        } else {
            Either::Right(self.others.clone().call(request))
        }
    }
}
